// WebGL: programs, buffers, and pictures that are not on the screen ------------------------------
function program(gl, vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source); gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  // the same places in every program, so that one set of buffers serves all
  ATTRIBUTES.forEach(([name], place) => gl.bindAttribLocation(made, place, name));
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  return { made, at: places(gl, made) };
}
function places(gl, made) {
  const found = {}, count = gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS);
  for (let k = 0; k < count; k++) { const { name } = gl.getActiveUniform(made, k); found[name] = gl.getUniformLocation(made, name); }
  return found;
}
const ATTRIBUTES = [["pial", 3], ["pialNormal", 3], ["inflated", 3], ["inflatedNormal", 3], ["times", 4], ["shares", 3], ["look", 3]];
function attribute(gl, place, values, size) {
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
}
function uploaded(gl, part) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  ATTRIBUTES.forEach(([name, size], place) => attribute(gl, place, part[name], size));
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, part.triangles, gl.STATIC_DRAW);
  return { array, count: part.triangles.length };
}
function uploadedChannels(gl, { made }, channels) {
  const array = gl.createVertexArray(), place = (name) => gl.getAttribLocation(made, name);
  gl.bindVertexArray(array);
  attribute(gl, place("place"), new Float32Array(channels.flatMap((c) => c.xyz)), 3);
  attribute(gl, place("onset"), new Float32Array(channels.map((c) => c.onset ?? 1e9)), 1);
  return { array, count: channels.length };
}

// a texture without interpolation
function sizeTexture(gl, texture, format, type, width, height) {
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, format, width, height, 0, gl.RGBA, type, null);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
}
// calls `resize` only when the size is a new one
function whenResized(resize) {
  let size = "";
  return (width, height) => { if (size !== `${width} ${height}`) { size = `${width} ${height}`; resize(width, height); } };
}

// a picture with several samples per pixel; `end` gives a texture with their means
function smoothTarget(gl) {
  const frame = gl.createFramebuffer(), means = gl.createFramebuffer(), texture = gl.createTexture();
  const buffers = [[gl.RGBA8, gl.COLOR_ATTACHMENT0], [gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]].map((kind) => [gl.createRenderbuffer(), ...kind]);
  const samples = Math.min(4, gl.getParameter(gl.MAX_SAMPLES));
  const resized = whenResized((width, height) => {
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    for (const [buffer, format, place] of buffers) {
      gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
      gl.renderbufferStorageMultisample(gl.RENDERBUFFER, samples, format, width, height);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, place, gl.RENDERBUFFER, buffer);
    }
    sizeTexture(gl, texture, gl.RGBA8, gl.UNSIGNED_BYTE, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, means);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  });
  return {
    begin(width, height) { resized(width, height); gl.bindFramebuffer(gl.FRAMEBUFFER, frame); },
    end(width, height) {
      gl.bindFramebuffer(gl.READ_FRAMEBUFFER, frame);
      gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, means);
      gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.activeTexture(gl.TEXTURE0); gl.bindTexture(gl.TEXTURE_2D, texture);
    },
  };
}

// what is known of each pixel, in two textures; null where textures of floats cannot be drawn to
function knownTarget(gl) {
  if (!gl.getExtension("EXT_color_buffer_float")) return null;
  const frame = gl.createFramebuffer(), depth = gl.createRenderbuffer();
  const kinds = [[gl.RGBA32F, gl.FLOAT], [gl.RGBA16F, gl.HALF_FLOAT]], textures = kinds.map(() => gl.createTexture());
  const attachments = kinds.map((_, k) => gl.COLOR_ATTACHMENT0 + k);
  const resized = whenResized((width, height) => {
    kinds.forEach(([format, type], k) => {
      sizeTexture(gl, textures[k], format, type, width, height);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, attachments[k], gl.TEXTURE_2D, textures[k], 0);
    });
    gl.bindRenderbuffer(gl.RENDERBUFFER, depth);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT24, width, height);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depth);
    gl.drawBuffers(attachments);
  });
  const begin = (width, height) => {
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    resized(width, height);
    attachments.forEach((_, k) => gl.clearBufferfv(gl.COLOR, k, [0, 0, 0, 0]));
    gl.clearBufferfv(gl.DEPTH, 0, [1]);
  };
  const end = () => gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  const read = () => textures.forEach((texture, k) => { gl.activeTexture(gl.TEXTURE0 + k); gl.bindTexture(gl.TEXTURE_2D, texture); });
  begin(1, 1);
  const usable = gl.checkFramebufferStatus(gl.FRAMEBUFFER) === gl.FRAMEBUFFER_COMPLETE;
  end();
  return usable ? { begin, end, read } : null;
}
