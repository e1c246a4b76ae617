// what is shown, and from where -------------------------------------------------------------------
const LOOKS = { left: [90, 0], right: [270, 0], top: [0, 90], bottom: [0, -90], front: [180, 0], back: [0, 0] };
function setUpChoices(frames, showTime) {
  one("#mode").addEventListener("change", (event) => {
    state.mode = Number(event.target.value);
    document.querySelectorAll("[id^=legend-]").forEach((legend) => { legend.hidden = legend.id !== `legend-${state.mode}`; });
    frames.redraw();
  });
  one("#latest").textContent = `${data.onsets_s[1].toFixed(1)} s`;
  one("#earliest").textContent = `${data.onsets_s[0].toFixed(1)} s`;
  const surgery = one("#surgery");
  if (surgery) surgery.addEventListener("change", () => { state.surgery = Number(surgery.value); showTime(); frames.redraw(); });
  one("#morph").addEventListener("input", (event) => { state.morph = Number(event.target.value) / 100; frames.redraw(); });
  one("#contacts").addEventListener("change", frames.redraw);
  window.addEventListener("resize", frames.redraw);
}
function turn(azimuth, elevation) {
  state.azimuth = ((azimuth % 360) + 360) % 360;
  state.elevation = Math.min(90, Math.max(-90, elevation));
  // letters where the left side of the picture is a side of the patient
  const across = Math.cos((state.azimuth * Math.PI) / 180), letters = document.querySelectorAll(".stage .side");
  const [first, last] = Math.abs(across) < 0.5 ? ["", ""] : across > 0 ? ["L", "R"] : ["R", "L"];
  letters[0].textContent = first; letters[1].textContent = last;
}
function setUpView(canvas, frames) {
  const turned = (azimuth, elevation) => { turn(azimuth, elevation); frames.redraw(); };
  const zoom = (factor) => { state.zoom = Math.min(8, Math.max(0.5, state.zoom * factor)); frames.redraw(); };
  document.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => turned(...LOOKS[button.dataset.view])));
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) turned(state.azimuth + event.movementX * 0.5, state.elevation + event.movementY * 0.5);
  });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1); }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
    if (moves) { event.preventDefault(); turned(state.azimuth + moves[0], state.elevation + moves[1]); }
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.15 : 1 / 1.15);
  });
}
