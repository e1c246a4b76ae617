// pictures of the cortex ----------------------------------------------------------------------
// Triangles cost most, and do not move while only time does: then what is known of each pixel is
// kept, and a frame colours the pixels.
const BACKGROUND = [0.945, 0.953, 0.957];
// pixels that the cortex can cover: x, y, width, height
function boxOf(parts, { view, morph, width, height }) {
  const low = [1, 1], high = [-1, -1];
  for (const { pial, inflated } of parts) {
    for (let i = 0; i < pial.length; i += 3) {
      for (let k = 0; k < 2; k++) {
        let value = view[12 + k];
        for (let axis = 0; axis < 3; axis++) value += view[4 * axis + k] * (pial[i + axis] + morph * (inflated[i + axis] - pial[i + axis]));
        if (value < low[k]) low[k] = value;
        if (value > high[k]) high[k] = value;
      }
    }
  }
  const [first, last] = [low, high].map((corner, end) => corner.map((value, k) => {
    const size = k ? height : width, at = (Math.min(1, Math.max(-1, value)) + 1) / 2 * size;
    return end ? Math.min(size, Math.ceil(at) + 1) : Math.max(0, Math.floor(at) - 1);
  }));
  return [...first, Math.max(0, last[0] - first[0]), Math.max(0, last[1] - first[1])];
}
function makePainter(gl, parts, channels) {
  const surface = program(gl, PLACE_VERTEX, SURFACE_FRAGMENT), dots = program(gl, CHANNEL_VERTEX, CHANNEL_FRAGMENT);
  const meshes = parts.map((part) => uploaded(gl, part)), places = uploadedChannels(gl, dots, channels);
  const smooth = smoothTarget(gl), copy = program(gl, WHOLE_VERTEX, COPY_FRAGMENT), known = knownTarget(gl), nothing = gl.createVertexArray();
  const painted = known && program(gl, PLACE_VERTEX, KNOWN_FRAGMENT), whole = known && program(gl, WHOLE_VERTEX, WHOLE_FRAGMENT);
  let kept = "", box = [];
  gl.enable(gl.CULL_FACE);
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  gl.clearColor(...BACKGROUND, 1);

  function setView(at, frame) {
    gl.uniformMatrix4fv(at.view, false, frame.view);
    gl.uniformMatrix3fv(at.turned, false, frame.turned);
    gl.uniform1f(at.morph, frame.morph); gl.uniform1f(at.surgery, frame.surgery);
  }
  function setColours(at, frame) {
    gl.uniform1f(at.morph, frame.morph); gl.uniform1f(at.surgery, frame.surgery);
    gl.uniform1f(at.time, frame.time); gl.uniform2f(at.onsets, ...frame.onsets); gl.uniform1i(at.mode, frame.mode);
  }
  function drawMeshes() {
    gl.enable(gl.DEPTH_TEST);
    meshes.forEach(({ array, count }) => { gl.bindVertexArray(array); gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0); });
    gl.disable(gl.DEPTH_TEST);
  }
  function drawSurface(frame) {
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(surface.made);
    setView(surface.at, frame); setColours(surface.at, frame);
    drawMeshes();
  }
  function drawChannels(frame) {
    if (!frame.channels || !places.count) return;
    gl.useProgram(dots.made);
    gl.uniformMatrix4fv(dots.at.view, false, frame.view); gl.uniform1f(dots.at.time, frame.time); gl.uniform1f(dots.at.size, frame.size);
    gl.enable(gl.BLEND);
    gl.bindVertexArray(places.array); gl.drawArrays(gl.POINTS, 0, places.count);
    gl.disable(gl.BLEND);
  }
  function coverScreen() { gl.bindVertexArray(nothing); gl.drawArrays(gl.TRIANGLES, 0, 3); }
  function keep(frame) {
    if (kept === frame.key) return;
    known.begin(frame.width, frame.height);
    gl.useProgram(painted.made);
    setView(painted.at, frame);
    drawMeshes();
    known.end();
    kept = frame.key;
    box = boxOf(parts, frame);
  }
  return {
    // from the triangles
    surface(frame) { drawSurface(frame); drawChannels(frame); },
    // the same with smooth edges
    smooth(frame) {
      smooth.begin(frame.width, frame.height);
      drawSurface(frame); drawChannels(frame);
      smooth.end(frame.width, frame.height);
      gl.useProgram(copy.made); gl.uniform1i(copy.at.picture, 0);
      coverScreen();
    },
    // from what is known of each pixel; null where that is not possible
    pixels: known && ((frame) => {
      keep(frame);
      known.read();
      gl.useProgram(whole.made);
      setColours(whole.at, frame);
      gl.uniform1i(whole.at.courses, 0); gl.uniform1i(whole.at.looks, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.enable(gl.SCISSOR_TEST); gl.scissor(...box);
      coverScreen();
      gl.disable(gl.SCISSOR_TEST);
      drawChannels(frame);
    }),
  };
}
