// which picture is drawn when -------------------------------------------------------------------
function matrix(width, height, centre) {
  // orthographic; azimuth 90 looks at the left side, 270 at the right, as in the report
  const a = (state.azimuth * Math.PI) / 180, e = (state.elevation * Math.PI) / 180;
  const away = [-Math.sin(a) * Math.cos(e), -Math.cos(a) * Math.cos(e), Math.sin(e)];
  const right = [Math.cos(a), -Math.sin(a), 0];
  const up = [away[1] * right[2] - away[2] * right[1], away[2] * right[0] - away[0] * right[2], away[0] * right[1] - away[1] * right[0]];
  const scale = (state.zoom / 78) * (1 - 0.12 * state.morph), sx = (scale * Math.min(1, height / width)), sy = scale * Math.min(1, width / height), sz = 1 / 300;
  const rows = [right.map((v) => v * sx), up.map((v) => v * sy), away.map((v) => -v * sz)];
  const shift = rows.map((row) => -row.reduce((sum, v, k) => sum + v * centre[k], 0));
  const turned = new Float32Array([right[0], up[0], away[0], right[1], up[1], away[1], right[2], up[2], away[2]]);
  const view = new Float32Array([rows[0][0], rows[1][0], rows[2][0], 0, rows[0][1], rows[1][1], rows[2][1], 0, rows[0][2], rows[1][2], rows[2][2], 0, ...shift, 1]);
  return [view, turned];
}
// all that a picture depends on; `key` changes with all but time and colours
function frameOf(canvas, centre, detail) {
  const ratio = (window.devicePixelRatio || 1) * detail;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const [view, turned] = matrix(width, height, centre), { time, mode, morph, surgery } = state;
  return {
    width, height, view, turned, time, mode, morph, surgery, onsets: data.onsets_s, size: 9 * ratio * Math.sqrt(state.zoom),
    channels: one("#contacts").checked && morph < 0.05, key: [width, height, morph, surgery, ...view].join(" "),
  };
}
// Without a graphics card: fewer pixels while the picture moves. Time and view have their own share
// of the pixels, because only a new view draws triangles.
function makeFrames(gl, canvas, painter, centre) {
  const detail = { view: 1, time: 1 }, slow = { view: 0, time: 0 };
  let key = "", last = 0, resting = 0, waiting = false;
  const seen = () => `${state.azimuth} ${state.elevation} ${state.zoom} ${state.morph} ${state.surgery} ${canvas.clientWidth} ${canvas.clientHeight}`;
  function paint(way, share) {
    const frame = frameOf(canvas, centre, share);
    gl.viewport(0, 0, frame.width, frame.height);
    painter[way](frame);
    state.frames += 1;
  }
  function moving(now) {
    const kind = seen() === key ? "time" : "view", took = now - last;
    key = seen(); last = now;
    if (took < 1000) slow[kind] = took > 34 ? slow[kind] + 1 : Math.max(0, slow[kind] - 0.4);
    if (slow[kind] > 3 && detail[kind] > 0.3) { detail[kind] = Math.max(0.3, detail[kind] * 0.8); slow[kind] = 0; }
    state.detail = detail[kind];
    paint(kind === "time" && painter.pixels ? "pixels" : "surface", detail[kind]);
    clearTimeout(resting);
    resting = setTimeout(() => { if (!state.playing) rest(); }, 250);
  }
  function rest() { paint("smooth", 1); }
  // one frame for all changes since the last
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((now) => { waiting = false; moving(now); });
  }
  return { moving, rest, redraw, paint };
}
