// regions chosen by hand ---------------------------------------------------------------
function setUpExplore() {
  const holder = one("#explore");
  if (!holder) return;
  const boxes = all("[data-choice]", holder), found = one("#explore-found"), listed = one("#explore-listed");
  boxes.forEach((box) => box.addEventListener("change", () => takeByHand(state.hand ^ (1 << Number(box.dataset.choice)))));
  one("#explore-clear").addEventListener("click", () => takeByHand(0));
  one("#explore-table").open = false;
  const show = () => {
    const plan = chosenByHand(), facts = one("#explore-facts");
    boxes.forEach((box, place) => { box.checked = (state.hand & (1 << place)) !== 0; });
    found.hidden = !plan;
    one("#explore-none").hidden = Boolean(plan);
    if (!plan) return;
    one("#explore-p").textContent = plan.p;
    facts.replaceChildren();
    plan.facts.forEach(([question, words, warning]) => {
      const answer = element("dd");
      answer.append(warning ? element("em", words) : words);
      facts.append(element("dt", question), answer);
    });
    listed.hidden = plan.plan < 0;
    listed.textContent = plan.plan < 0 ? "" : `In the table of plans: ${data.plans[plan.plan].rank}. ${data.plans[plan.plan].title}`;
  };
  listeners.push(show);
  show();
}
setUpExplore();
