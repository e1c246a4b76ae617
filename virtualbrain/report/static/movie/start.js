// start ---------------------------------------------------------------------------------------------
// the side with more cortex that seizes
function busySide(parts) {
  const [left, right] = parts.map(({ times }) => times.reduce((n, value, i) => n + (i % 4 === 0 && value < NEVER ? 1 : 0), 0));
  return right > left ? "right" : "left";
}
async function start() {
  const canvas = one("#gl"), gl = canvas.getContext("webgl2", { alpha: false, antialias: false });
  if (!gl) return;
  const parts = [];
  for (const part of data.parts) parts.push(await readPart(part));
  const painter = makePainter(gl, parts, data.contacts);
  const curves = [0, 1].map((surgery) => areaCurve(parts, surgery));
  const seizingArea = () => areaAt(curves[state.surgery], state.time);
  one("#viewer").hidden = false;
  one("#no-viewer").hidden = true;
  const frames = makeFrames(gl, canvas, painter, centreOf(parts));
  const showTime = setUpPlayer(frames, seizingArea);
  setUpChoices(frames, showTime);
  setUpView(canvas, frames);
  // shortly after the first onset
  turn(...LOOKS[busySide(parts)]);
  state.time = Math.min(data.stop_s, data.onsets_s[0] + 2);
  showTime();
  frames.rest();
  window.cortex = { state, gl, seizingArea, ways: Object.keys(painter).filter((way) => painter[way]), paint: frames.paint };
  document.documentElement.dataset.movie = "ready";
}
start();
