// The drawing of one frame by WebGL: which eye goes where, and how two eyes become one picture for coloured glasses.

// Modes, as the fragment shader knows them.
export const modes = { left: 0, right: 1, parallel: 2, crossed: 3, dubois: 4, color: 5, "half-color": 6, gray: 7 };

// twoWide says which modes show both eyes beside each other.
export const twoWide = (mode) => mode === "parallel" || mode === "crossed";

const vertex = `#version 300 es
out vec2 at; // from the top left corner
void main() {
  vec2 p = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
  at = vec2(p.x, 1.0 - p.y);
  gl_Position = vec4(p * 2.0 - 1.0, 0.0, 1.0);
}`;

// The matrix is E. Dubois, "A projection method to generate anaglyph stereo images", ICASSP 2001, mixed in linear
// light, where a display shows a film's signal to the power of 2.4 (BT.1886), as the converter does it.
const fragment = `#version 300 es
precision highp float;
uniform sampler2D film;
uniform vec4 leftEye, rightEye; // x, y, width, height
uniform vec2 texel;             // half a texel
uniform int mode;
uniform bool dome;
uniform vec2 gaze;              // yaw and pitch, radians
uniform vec2 window;            // tangents of half the angles that the window shows
in vec2 at;
out vec4 color;
const vec3 luma = vec3(0.2126, 0.7152, 0.0722);
const mat3 duboisLeft = mat3(
  0.456100, -0.0400822, -0.0152161,
  0.500484, -0.0378246, -0.0205971,
  0.176381, -0.0157589, -0.00546856);
const mat3 duboisRight = mat3(
  -0.0434706, 0.378476, -0.0721527,
  -0.0879388, 0.73364, -0.112961,
  -0.00155529, -0.0184503, 1.2264);

// The place in a half-equirectangular picture that a window's point looks at; outside of [0, 1] there is nothing.
vec2 onDome(vec2 p) {
  vec3 d = vec3((p.x * 2.0 - 1.0) * window.x, (1.0 - p.y * 2.0) * window.y, -1.0);
  float cp = cos(gaze.y), sp = sin(gaze.y), cy = cos(gaze.x), sy = sin(gaze.x);
  d = vec3(d.x, d.y * cp - d.z * sp, d.y * sp + d.z * cp);
  d = normalize(vec3(d.x * cy - d.z * sy, d.y, d.x * sy + d.z * cy));
  return vec2(atan(d.x, -d.z), -asin(d.y)) / 3.14159265 + 0.5;
}

vec3 eye(vec4 rect, vec2 p) {
  if (dome) {
    p = onDome(p);
    if (any(lessThan(p, vec2(0.0))) || any(greaterThan(p, vec2(1.0)))) return vec3(0.0);
  }
  return texture(film, clamp(rect.xy + p * rect.zw, rect.xy + texel, rect.xy + rect.zw - texel)).rgb;
}

vec3 light(vec3 v) { return pow(v, vec3(2.4)); }

void main() {
  vec2 half_ = vec2(fract(at.x * 2.0), at.y);
  vec3 c;
  if (mode == 0) c = eye(leftEye, at);
  else if (mode == 1) c = eye(rightEye, at);
  else if (mode == 2) c = at.x < 0.5 ? eye(leftEye, half_) : eye(rightEye, half_);
  else if (mode == 3) c = at.x < 0.5 ? eye(rightEye, half_) : eye(leftEye, half_);
  else {
    vec3 l = eye(leftEye, at), r = eye(rightEye, at);
    if (mode == 4) c = pow(clamp(duboisLeft * light(l) + duboisRight * light(r), 0.0, 1.0), vec3(1.0 / 2.4));
    else if (mode == 5) c = vec3(l.r, r.gb);
    else if (mode == 6) c = vec3(dot(l, luma), r.gb);
    else c = vec3(dot(l, luma), vec2(dot(r, luma)));
  }
  color = vec4(c, 1.0);
}`;

// program compiles and links two shaders; the error says what the driver said.
export function program(gl, vertexText, fragmentText) {
  const p = gl.createProgram();
  for (const [type, text] of [[gl.VERTEX_SHADER, vertexText], [gl.FRAGMENT_SHADER, fragmentText]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(p, shader);
  }
  gl.linkProgram(p);
  if (!gl.getProgramParameter(p, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(p));
  return p;
}

// filmTexture returns a texture that load fills with a video's current frame.
export function filmTexture(gl) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  for (const [name, value] of [
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
  ]) gl.texParameteri(gl.TEXTURE_2D, name, value);
  return texture;
}

export function load(gl, texture, video) {
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, video);
}

export class Painter {
  constructor(canvas) {
    // Kept after drawing, so that a page that takes a picture of the canvas gets one.
    this.gl = canvas.getContext("webgl2", { alpha: false, antialias: false, preserveDrawingBuffer: true, xrCompatible: false });
    if (!this.gl) throw new Error("WebGL 2 is not available");
    this.canvas = canvas;
    this.program = program(this.gl, vertex, fragment);
    this.places = new Proxy({}, { get: (known, name) => (known[name] ??= this.gl.getUniformLocation(this.program, name)) });
    this.texture = filmTexture(this.gl);
  }

  // paint draws video's current frame. view: { mode, swap, gaze: [yaw, pitch], zoom }.
  paint(video, layout, view) {
    const { gl, places } = this;
    gl.useProgram(this.program);
    load(gl, this.texture, video);
    const [left, right] = view.swap ? [layout.right, layout.left] : [layout.left, layout.right];
    gl.uniform4fv(places.leftEye, left);
    gl.uniform4fv(places.rightEye, right);
    gl.uniform2f(places.texel, 0.5 / video.videoWidth, 0.5 / video.videoHeight);
    gl.uniform1i(places.mode, modes[view.mode]);
    gl.uniform1i(places.dome, layout.dome ? 1 : 0);
    gl.uniform2fv(places.gaze, view.gaze);
    gl.uniform2f(places.window, 1, 9 / 16);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
