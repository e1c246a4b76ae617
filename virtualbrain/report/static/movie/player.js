// time: slider, play, and the area that seizes ----------------------------------------------------
function setUpPlayer(frames, seizingArea) {
  const slider = one("#time");
  let before = 0;
  slider.max = String(Math.round((data.stop_s - data.start_s) * 20));
  function show() {
    slider.value = String(Math.round((state.time - data.start_s) * 20));
    one("#clock").textContent = `${state.time.toFixed(1)} s`;
    one("#area").textContent = `${seizingArea().toFixed(1)} cm² seizing`;
  }
  function advance(now) {
    if (!state.playing) return;
    state.time += (Math.min(now - before, 100) / 1000) * Number(one("#speed").value);
    before = now;
    if (state.time >= data.stop_s) { state.time = data.stop_s; play(false); }
    show();
    frames.moving(now);
    requestAnimationFrame(advance);
  }
  function play(on) {
    state.playing = on;
    one("#play").textContent = on ? "Pause" : "Play";
    one("#play").setAttribute("aria-pressed", String(on));
    if (!on) { frames.redraw(); return; }
    if (state.time >= data.stop_s) state.time = data.start_s;
    before = performance.now();
    requestAnimationFrame(advance);
  }
  slider.addEventListener("input", () => { state.time = data.start_s + Number(slider.value) / 20; show(); frames.redraw(); });
  one("#play").addEventListener("click", () => play(!state.playing));
  return show;
}
