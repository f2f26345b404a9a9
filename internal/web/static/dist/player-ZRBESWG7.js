import{b as R,f as d}from"./chunk-Y6BSH6JK.js";import"./chunk-SQE76S5B.js";var u=class{constructor(e,t){this.stage=e,this.video=t,this.bar=e.querySelector(".bar"),t.controls=!1,this.bar.hidden=!1,this.#r(),this.#i(),this.#s(),this.#a()}#t(e,t){let s=this.bar.querySelector(`[data-do=${e}]`);return s.addEventListener("click",t),s}#r(){let e=this.#t("play",()=>this.toggle()),t=()=>this.#e(e,this.video.paused?"Play":"Pause",!this.video.paused);for(let s of["play","pause","ended"])this.video.addEventListener(s,t);this.stage.querySelector(".screen").addEventListener("click",s=>!s.defaultPrevented&&this.toggle()),t()}#i(){let{video:e}=this,t=this.bar.querySelector(".seek"),s=this.bar.querySelector(".time"),r=()=>{let a=Number.isFinite(e.duration)?e.duration:0;t.max=a,this.dragging||(t.value=e.currentTime),s.textContent=`${d(t.value)} / ${d(a)}`,t.setAttribute("aria-valuetext",`${d(t.value)} of ${d(a)}`)};for(let a of["loadedmetadata","durationchange","timeupdate","seeked"])e.addEventListener(a,r);t.addEventListener("input",()=>{this.dragging=!0,e.currentTime=Number(t.value),r()}),t.addEventListener("change",()=>this.dragging=!1),r()}#s(){let{video:e}=this,t=this.#t("mute",()=>e.muted=!e.muted),s=this.bar.querySelector(".volume");s.addEventListener("input",()=>{e.volume=Number(s.value),e.muted=e.volume===0});let r=()=>{s.value=e.muted?0:e.volume,this.#e(t,e.muted?"Sound on":"Mute",e.muted)};e.addEventListener("volumechange",r),r()}#a(){let e=this.#t("full",()=>this.fullScreen());e.hidden=!document.fullscreenEnabled,document.addEventListener("fullscreenchange",()=>this.#e(e,document.fullscreenElement?"Leave full screen":"Full screen",!!document.fullscreenElement))}#e(e,t,s){e.setAttribute("aria-label",t),e.title=t,e.classList.toggle("on",s)}toggle(){this.video.paused?this.video.play().catch(()=>{}):this.video.pause()}step(e){this.video.currentTime=Math.min(Math.max(0,this.video.currentTime+e),this.video.duration||0)}fullScreen(){document.fullscreenElement?document.exitFullscreen():this.stage.requestFullscreen().catch(()=>{})}};var U={"full-sbs":{left:[0,0,.5,1],right:[.5,0,.5,1],stretch:.5},"half-sbs":{left:[0,0,.5,1],right:[.5,0,.5,1],stretch:1},"full-tb":{left:[0,0,1,.5],right:[0,.5,1,.5],stretch:2},"half-tb":{left:[0,0,1,.5],right:[0,.5,1,.5],stretch:1},"cross-eyed":{left:[.5,0,.5,1],right:[0,0,.5,1],stretch:.5},vr180:{left:[0,0,.5,1],right:[.5,0,.5,1],stretch:.5,dome:!0}};function L(i){return U[i]??null}function v(i,e,t){return i.dome?16/9:i.stretch*e/t}var B={left:0,right:1,parallel:2,crossed:3,dubois:4,color:5,"half-color":6,gray:7},A=i=>i==="parallel"||i==="crossed",C=`#version 300 es
out vec2 at; // from the top left corner
void main() {
  vec2 p = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
  at = vec2(p.x, 1.0 - p.y);
  gl_Position = vec4(p * 2.0 - 1.0, 0.0, 1.0);
}`,N=`#version 300 es
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
}`;function p(i,e,t){let s=i.createProgram();for(let[r,a]of[[i.VERTEX_SHADER,e],[i.FRAGMENT_SHADER,t]]){let o=i.createShader(r);i.shaderSource(o,a),i.compileShader(o),i.attachShader(s,o)}if(i.linkProgram(s),!i.getProgramParameter(s,i.LINK_STATUS))throw new Error(i.getProgramInfoLog(s));return s}function g(i){let e=i.createTexture();i.bindTexture(i.TEXTURE_2D,e);for(let[t,s]of[[i.TEXTURE_WRAP_S,i.CLAMP_TO_EDGE],[i.TEXTURE_WRAP_T,i.CLAMP_TO_EDGE],[i.TEXTURE_MIN_FILTER,i.LINEAR],[i.TEXTURE_MAG_FILTER,i.LINEAR]])i.texParameteri(i.TEXTURE_2D,t,s);return e}function y(i,e,t){i.bindTexture(i.TEXTURE_2D,e),i.texImage2D(i.TEXTURE_2D,0,i.RGBA,i.RGBA,i.UNSIGNED_BYTE,t)}var f=class{constructor(e){if(this.gl=e.getContext("webgl2",{alpha:!1,antialias:!1,preserveDrawingBuffer:!0,xrCompatible:!1}),!this.gl)throw new Error("WebGL 2 is not available");this.canvas=e,this.program=p(this.gl,C,N),this.places=new Proxy({},{get:(t,s)=>t[s]??=this.gl.getUniformLocation(this.program,s)}),this.texture=g(this.gl)}paint(e,t,s){let{gl:r,places:a}=this;r.useProgram(this.program),y(r,this.texture,e);let[o,n]=s.swap?[t.right,t.left]:[t.left,t.right];r.uniform4fv(a.leftEye,o),r.uniform4fv(a.rightEye,n),r.uniform2f(a.texel,.5/e.videoWidth,.5/e.videoHeight),r.uniform1i(a.mode,B[s.mode]),r.uniform1i(a.dome,t.dome?1:0),r.uniform2fv(a.gaze,s.gaze),r.uniform2f(a.window,1,9/16),r.viewport(0,0,this.canvas.width,this.canvas.height),r.drawArrays(r.TRIANGLES,0,3)}};var S=3.2,W=2.6,w=20,X=48,G=`#version 300 es
uniform mat4 projection, view;
uniform vec4 rect;
in vec3 place;
in vec2 where;
out vec2 at;
void main() {
  at = rect.xy + where * rect.zw;
  gl_Position = projection * view * vec4(place, 1.0);
}`,V=`#version 300 es
precision highp float;
uniform sampler2D film;
uniform vec4 bounds; // of the eye's picture, half a texel within
in vec2 at;
out vec4 color;
void main() { color = texture(film, clamp(at, bounds.xy, bounds.zw)); }`;async function _(){try{return!!await navigator.xr?.isSessionSupported("immersive-vr")}catch{return!1}}async function k(i,e,t,s,r){let a=await navigator.xr.requestSession("immersive-vr",{optionalFeatures:["local-floor"]}),o=document.createElement("canvas").getContext("webgl2",{xrCompatible:!0});await o.makeXRCompatible();let n=new XRWebGLLayer(a,o);await a.updateRenderState({baseLayer:n});let c=await a.requestReferenceSpace("local"),h=new E(o,e.dome?$():O(t));a.addEventListener("end",r),a.addEventListener("select",()=>i.paused?i.play():i.pause());let l=(b,D)=>{a.requestAnimationFrame(l);let T=D.getViewerPose(c);if(T){o.bindFramebuffer(o.FRAMEBUFFER,n.framebuffer),o.clear(o.COLOR_BUFFER_BIT|o.DEPTH_BUFFER_BIT),i.readyState>=2&&y(o,h.texture,i);for(let m of T.views){let{x:q,y:I,width:z,height:P}=n.getViewport(m);o.viewport(q,I,z,P),h.draw(m,m.eye==="right"!==s().swap?e.right:e.left,i)}}};a.requestAnimationFrame(l),i.play()}var E=class{constructor(e,t){this.gl=e,this.program=p(e,G,V),this.texture=g(e),this.count=t.indices.length,e.bindVertexArray(e.createVertexArray()),this.#t("place",t.places,3),this.#t("where",t.wheres,2),e.bindBuffer(e.ELEMENT_ARRAY_BUFFER,e.createBuffer()),e.bufferData(e.ELEMENT_ARRAY_BUFFER,new Uint16Array(t.indices),e.STATIC_DRAW)}#t(e,t,s){let{gl:r}=this,a=r.getAttribLocation(this.program,e);r.bindBuffer(r.ARRAY_BUFFER,r.createBuffer()),r.bufferData(r.ARRAY_BUFFER,new Float32Array(t),r.STATIC_DRAW),r.enableVertexAttribArray(a),r.vertexAttribPointer(a,s,r.FLOAT,!1,0,0)}draw(e,[t,s,r,a],o){let{gl:n}=this,c=b=>n.getUniformLocation(this.program,b),[h,l]=[.5/(o.videoWidth||1),.5/(o.videoHeight||1)];n.useProgram(this.program),n.uniformMatrix4fv(c("projection"),!1,e.projectionMatrix),n.uniformMatrix4fv(c("view"),!1,e.transform.inverse.matrix),n.uniform4f(c("rect"),t,s,r,a),n.uniform4f(c("bounds"),t+h,s+l,t+r-h,s+a-l),n.drawElements(n.TRIANGLES,this.count,n.UNSIGNED_SHORT,0)}};function O(i){return F(1,(e,t)=>[(e-.5)*S,(.5-t)*S/i,-W])}function $(){return F(X,(i,e)=>{let[t,s]=[(i-.5)*Math.PI,(.5-e)*Math.PI];return[w*Math.sin(t)*Math.cos(s),w*Math.sin(s),-w*Math.cos(t)*Math.cos(s)]})}function F(i,e){let t={places:[],wheres:[],indices:[]};for(let s=0;s<=i;s++)for(let r=0;r<=i;r++){if(t.places.push(...e(r/i,s/i)),t.wheres.push(r/i,s/i),r===i||s===i)continue;let a=s*(i+1)+r;t.indices.push(a,a+i+1,a+1,a+1,a+i+1,a+i+2)}return t}var H=180,Y=6e4,x=class{view={mode:"stored",swap:!1,gaze:[0,0]};turn="left";constructor(e){this.page=e,this.stage=e.querySelector(".stage"),this.screen=e.querySelector(".screen"),this.video=e.querySelector("video"),this.canvas=e.querySelector("canvas"),this.layout=L(e.dataset.format),this.controls=new u(this.stage,this.video),this.#f(),this.#d(),this.#s(),this.video.addEventListener("loadedmetadata",()=>this.#s()),this.layout&&this.#t()}#t(){this.select=this.page.querySelector("[data-mode]"),this.swap=this.page.querySelector("[data-swap]"),this.page.querySelector(".modes").hidden=!1,this.#r(),this.select.addEventListener("change",()=>this.#i(this.select.value)),this.swap.addEventListener("change",()=>{this.view.swap=this.swap.checked,this.#e()});for(let e of["seeked","loadeddata"])this.video.addEventListener(e,()=>this.#e());new ResizeObserver(()=>this.#e()).observe(this.screen),this.layout.dome&&this.#h(),this.#a(),this.#l(),this.#i(this.select.value)}#r(){let e=matchMedia("(prefers-reduced-motion: reduce)"),t=()=>{this.select.querySelector("[value=wiggle]").disabled=e.matches,e.matches&&this.view.mode==="wiggle"&&this.#i(this.select.value="left")};e.addEventListener("change",t),t()}#i(e){clearInterval(this.wiggling),this.view.mode=e,e==="wiggle"&&(this.wiggling=setInterval(()=>{this.turn=this.turn==="left"?"right":"left",this.#e()},H)),this.#s(),this.#e()}#s(){let{videoWidth:e,videoHeight:t}=this.video,s=this.view.mode!=="stored";this.stage.classList.toggle("drawn",s),this.canvas.hidden=!s,e&&(this.aspect=s?v(this.layout,e,t)*(A(this.view.mode)?2:1):e/t,this.screen.style.aspectRatio=String(this.aspect))}#a(){let e=()=>{this.#e(),this.video.requestVideoFrameCallback?this.video.requestVideoFrameCallback(e):requestAnimationFrame(e)};e()}#e(){if(this.view.mode==="stored"||this.video.readyState<2)return;try{this.painter??=new f(this.canvas)}catch(t){return this.#n(`This browser can't draw 3D modes (${t.message}). The film plays as it is stored.`),this.#i(this.select.value="stored")}this.#c();let e=this.view.mode==="wiggle"?this.turn:this.view.mode;this.painter.paint(this.video,this.layout,{...this.view,mode:e})}#c(){let{width:e,height:t}=this.screen.getBoundingClientRect(),s=Math.min(e,t*this.aspect)*devicePixelRatio,r=Math.max(2,Math.min(Math.round(s),4096)),a=Math.max(2,Math.round(r/this.aspect));(this.canvas.width!==r||this.canvas.height!==a)&&Object.assign(this.canvas,{width:r,height:a})}#h(){let e=null;this.canvas.addEventListener("pointerdown",t=>{e=[t.clientX,t.clientY,...this.view.gaze],this.canvas.setPointerCapture(t.pointerId)}),this.canvas.addEventListener("pointermove",t=>{if(!e)return;let s=2/this.canvas.clientWidth;this.#o(e[2]+(e[0]-t.clientX)*s,e[3]+(t.clientY-e[1])*s),this.dragged=Math.hypot(t.clientX-e[0],t.clientY-e[1])>4}),this.canvas.addEventListener("pointerup",()=>e=null),this.canvas.addEventListener("click",t=>this.dragged&&t.preventDefault())}#o(e,t){let s=(r,a)=>Math.min(Math.max(r,-a),a);this.view.gaze=[s(e,1.4),s(t,1.2)],this.#e()}async#l(){if(!await _())return;let e=this.page.querySelector("[data-vr]");e.hidden=!1,e.addEventListener("click",async()=>{let{videoWidth:t,videoHeight:s}=this.video;try{await k(this.video,this.layout,v(this.layout,t,s),()=>this.view,()=>this.#e())}catch(r){this.#n(`The headset didn't start: ${r.message}`)}})}#d(){let e={" ":()=>this.controls.toggle(),k:()=>this.controls.toggle(),ArrowLeft:t=>t.shiftKey&&this.layout?.dome?this.#o(this.view.gaze[0]-.1,this.view.gaze[1]):this.controls.step(-5),ArrowRight:t=>t.shiftKey&&this.layout?.dome?this.#o(this.view.gaze[0]+.1,this.view.gaze[1]):this.controls.step(5),f:()=>this.controls.fullScreen(),m:()=>this.video.muted=!this.video.muted,s:()=>this.swap?.click()};addEventListener("keydown",t=>{if(t.ctrlKey||t.metaKey||t.altKey)return;let s=t.target.closest("input, select, textarea, button, a, summary, dialog[open]"),r=e[t.key]??this.#u(t.key);!r||s&&(t.key.length>1||t.key===" "||s.matches("input:not([type=range],[type=checkbox]), select"))||(t.preventDefault(),r(t))})}#u(e){let t=/^[1-9]$/.test(e)&&this.select?.options[Number(e)-1];return t&&!t.disabled?()=>this.#i(this.select.value=t.value):null}#f(){let e=-1/0;this.video.addEventListener("error",async()=>{let{currentTime:t,paused:s}=this.video;if(performance.now()-e>Y){e=performance.now();let r=await R("GET",`/jobs/${this.page.dataset.player}/links`).catch(()=>null);if(r){this.video.src=r.play,this.video.currentTime=t,s||this.video.play().catch(()=>{});return}}this.#n("This browser can't play the film: it doesn't know the video's format, or the film's server can't be reached. Download it, or open it in VLC.")})}#n(e){let t=this.page.querySelector("[role=alert]");t.textContent=e,t.hidden=!1}},M=document.querySelector("[data-player]");M&&new x(M);
