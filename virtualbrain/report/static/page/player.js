// the seizure in time, before and after a plan ----------------------------------------
function setUpPlayer() {
  const values = (onsets() ?? []).filter((v) => v !== null);
  if (!values.length || !data.ranked) return;
  const late = Object.values(data.recruitment).flat().map((entry) => entry[0]).filter((v) => v !== null);
  const end = Math.max(...values, ...late) + 2, slider = one("#time"), clock = one("#clock"), play = one("#play"), plan = one("#plan"), words = one("#recruited");
  one("#player").hidden = false;
  one("#player-caption").hidden = false;
  data.plans.forEach((p) => { const option = element("option", `${p.rank}. ${p.title}`); option.value = p.name; option.title = p.name; plan.append(option); });
  const own = element("option", "chosen by hand");
  own.value = "by hand";
  const show = () => {
    const at = state.time === null ? end : state.time, hand = state.candidate ? null : chosenByHand();
    slider.disabled = play.disabled = Boolean(hand);
    clock.textContent = hand ? "at the end" : `${at.toFixed(1)} s`;
    const n = seizingOnAverage();
    const free = hand ? hand.free : (data.plans.find((p) => p.name === state.candidate) || {}).free;
    const none = typeof free === "number" ? `; no region in ${(100 * free).toFixed(0)} % of the draws` : "";
    words.textContent = `${n.toFixed(1)} regions seizing on average${none}`;
  };
  // at the end and without a plan the whole map is shown again
  const move = () => { state.time = Number(slider.value) >= 100 ? null : (Number(slider.value) / 100) * end; changed(); };
  slider.addEventListener("input", move);
  plan.addEventListener("change", () => {
    if (plan.value !== own.value) takePlan(data.plans.findIndex((p) => p.name === plan.value));
  });
  let timer = 0;
  const stop = () => { clearTimeout(timer); timer = 0; play.textContent = "Play"; play.setAttribute("aria-pressed", "false"); };
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    if (Number(slider.value) >= 100) slider.value = "0";
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    // the next step waits until this one is drawn, so that a slow machine still reacts
    const step = () => {
      slider.value = String(Number(slider.value) + 2);
      move();
      if (Number(slider.value) >= 100) stop();
      else timer = setTimeout(step, 120);
    };
    timer = setTimeout(step, 120);
  });
  listeners.push(() => {
    const hand = !state.candidate && chosenByHand();
    if (hand) { stop(); plan.append(own); } else own.remove();
    plan.value = hand ? own.value : data.plans.some((p) => p.name === state.candidate) ? state.candidate : "";
    show();
  });
  show();
}
