package browsertest

// Headset is a script for Page.Before: a WebXR device with two eyes, whose pictures lie beside each other in a canvas of
// 64×32 pixels. window.headset.eyes holds what both eyes saw last: a checksum of each, or null while it is black.
const Headset = `(() => {
	const eye = (name) => ({ eye: name, projectionMatrix: new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, -1, 0, 0, -0.2, 0]),
		transform: { inverse: { matrix: new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]) } } });
	const headset = (window.headset = { eyes: [null, null] });
	class Session extends EventTarget {
		async updateRenderState({ baseLayer }) { this.layer = baseLayer; }
		async requestReferenceSpace() { return {}; }
		requestAnimationFrame(draw) {
			requestAnimationFrame((time) => {
				draw(time, { getViewerPose: () => ({ views: [eye("left"), eye("right")] }) });
				headset.eyes = [0, 32].map((x) => look(this.layer.gl, x));
			});
		}
	}
	function look(gl, x) {
		const pixels = new Uint8Array(32 * 32 * 4);
		gl.readPixels(x, 0, 32, 32, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
		const bright = pixels.some((v, i) => i % 4 < 3 && v > 0);
		return bright ? pixels.reduce((sum, v) => (sum * 31 + v) >>> 0, 7) : null;
	}
	window.XRWebGLLayer = class {
		framebuffer = null;
		constructor(session, gl) { this.gl = gl; Object.assign(gl.canvas, { width: 64, height: 32 }); }
		getViewport({ eye }) { return { x: eye === "right" ? 32 : 0, y: 0, width: 32, height: 32 }; }
	};
	WebGL2RenderingContext.prototype.makeXRCompatible = async () => {};
	Object.defineProperty(navigator, "xr", { value: {
		isSessionSupported: async (mode) => mode === "immersive-vr",
		requestSession: async () => (headset.session = new Session()),
	} });
})();`
