// The film in a headset, by WebXR: a screen that floats in front, or for vr180 the half sphere around the viewer.
import { filmTexture, load, program } from "./shader.js";

const screenWidth = 3.2; // metres
const distance = 2.6; // metres
const radius = 20; // metres, of the half sphere
const slices = 48; // of the half sphere, each way

const vertex = `#version 300 es
uniform mat4 projection, view;
uniform vec4 rect;
in vec3 place;
in vec2 where;
out vec2 at;
void main() {
  at = rect.xy + where * rect.zw;
  gl_Position = projection * view * vec4(place, 1.0);
}`;

const fragment = `#version 300 es
precision highp float;
uniform sampler2D film;
uniform vec4 bounds; // of the eye's picture, half a texel within
in vec2 at;
out vec4 color;
void main() { color = texture(film, clamp(at, bounds.xy, bounds.zw)); }`;

// vrOffered says whether this device can show a film in VR.
export async function vrOffered() {
  try {
    return Boolean(await navigator.xr?.isSessionSupported("immersive-vr"));
  } catch {
    return false;
  }
}

// showInVR plays video in the headset until the person leaves. view() returns { swap }.
export async function showInVR(video, layout, aspect, view, ended) {
  const session = await navigator.xr.requestSession("immersive-vr", { optionalFeatures: ["local-floor"] });
  const gl = document.createElement("canvas").getContext("webgl2", { xrCompatible: true });
  await gl.makeXRCompatible();
  const layer = new XRWebGLLayer(session, gl);
  await session.updateRenderState({ baseLayer: layer });
  const space = await session.requestReferenceSpace("local");
  const scene = new Scene(gl, layout.dome ? halfSphere() : flatScreen(aspect));
  session.addEventListener("end", ended);
  session.addEventListener("select", () => (video.paused ? video.play() : video.pause()));
  const draw = (_, frame) => {
    session.requestAnimationFrame(draw);
    const pose = frame.getViewerPose(space);
    if (!pose) return;
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (video.readyState >= 2) load(gl, scene.texture, video);
    for (const eye of pose.views) {
      const { x, y, width, height } = layer.getViewport(eye);
      gl.viewport(x, y, width, height);
      scene.draw(eye, (eye.eye === "right") !== view().swap ? layout.right : layout.left, video);
    }
  };
  session.requestAnimationFrame(draw);
  video.play();
}

class Scene {
  constructor(gl, mesh) {
    this.gl = gl;
    this.program = program(gl, vertex, fragment);
    this.texture = filmTexture(gl);
    this.count = mesh.indices.length;
    gl.bindVertexArray(gl.createVertexArray());
    this.#attribute("place", mesh.places, 3);
    this.#attribute("where", mesh.wheres, 2);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint16Array(mesh.indices), gl.STATIC_DRAW);
  }

  #attribute(name, values, size) {
    const { gl } = this;
    const place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(values), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
  }

  draw(eye, [x, y, w, h], video) {
    const { gl } = this;
    const at = (name) => gl.getUniformLocation(this.program, name);
    const [tx, ty] = [0.5 / (video.videoWidth || 1), 0.5 / (video.videoHeight || 1)];
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(at("projection"), false, eye.projectionMatrix);
    gl.uniformMatrix4fv(at("view"), false, eye.transform.inverse.matrix);
    gl.uniform4f(at("rect"), x, y, w, h);
    gl.uniform4f(at("bounds"), x + tx, y + ty, x + w - tx, y + h - ty);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_SHORT, 0);
  }
}

function flatScreen(aspect) {
  return grid(1, (u, v) => [(u - 0.5) * screenWidth, ((0.5 - v) * screenWidth) / aspect, -distance]);
}

function halfSphere() {
  return grid(slices, (u, v) => {
    const [longitude, latitude] = [(u - 0.5) * Math.PI, (0.5 - v) * Math.PI];
    return [
      radius * Math.sin(longitude) * Math.cos(latitude), radius * Math.sin(latitude),
      -radius * Math.cos(longitude) * Math.cos(latitude),
    ];
  });
}

// grid makes n×n squares whose corners place() puts into space; u and v run from the top left.
function grid(n, place) {
  const mesh = { places: [], wheres: [], indices: [] };
  for (let j = 0; j <= n; j++) {
    for (let i = 0; i <= n; i++) {
      mesh.places.push(...place(i / n, j / n));
      mesh.wheres.push(i / n, j / n);
      if (i === n || j === n) continue;
      const a = j * (n + 1) + i;
      mesh.indices.push(a, a + n + 1, a + 1, a + 1, a + n + 1, a + n + 2);
    }
  }
  return mesh;
}
