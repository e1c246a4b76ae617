// facts on the chosen region -----------------------------------------------------------
const inspector = one("#inspector");
listeners.push(() => {
  inspector.replaceChildren();
  const region = data.regions[state.region];
  inspector.hidden = !region;
  if (!region) return;
  const close = element("button", "✕", "close");
  close.type = "button";
  close.setAttribute("aria-label", "Clear the selection");
  close.addEventListener("click", () => chooseRegion(state.region));
  const list = element("dl");
  region.facts.forEach(([name, value]) => list.append(element("dt", name), element("dd", value)));
  const plans = data.plans.filter((plan) => plan.regions.includes(state.region)).length;
  if (data.ranked && data.plans.length) list.append(element("dt", "In plans"), element("dd", `${plans} of ${data.plans.length}`));
  inspector.append(close, element("h2", region.name), element("p", region.label, "sub"), list);
  if (canBeChosen(state.region)) {
    const take = element("button", inHand(state.region) ? "Leave out of the plan" : "Take into the plan", "take");
    const bit = bitOf(state.region);
    take.type = "button";
    take.addEventListener("click", () => { takeByHand(state.hand ^ bit); one(".take", inspector)?.focus(); });
    inspector.append(take);
  }
  if (!region.facts.length) inspector.append(element("p", "No result for this region.", "caption"));
});
