// embedded data, the page's elements, and what is chosen
const root = document.documentElement;
const data = JSON.parse(document.getElementById("embedded").textContent);
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const state = { region: -1, plan: -1, metric: 0, time: null, candidate: "", hand: 0 };
const listeners = [];
function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}
root.classList.remove("plain");

// selection: one region and one plan, marked everywhere ------------------------
const changed = () => listeners.forEach((listener) => listener());

function chooseRegion(index) {
  state.region = index === state.region ? -1 : index;
  changed();
}

function takePlan(index) {
  const plan = data.plans[index];
  state.plan = plan ? index : -1;
  state.candidate = plan ? plan.name : "";
  state.hand = Number(Object.keys(byHand).find((mask) => plan && byHand[mask].plan === index) ?? 0);
  changed();
}
function choosePlan(index) {
  takePlan(index === state.plan ? -1 : index);
}

// a plan of regions chosen by hand: one bit for each region that can be chosen
const byHand = data.explore ? data.explore.plans : {};
const chosenByHand = () => byHand[state.hand] || null;
const bitOf = (index) => (data.explore ? 1 << data.explore.regions.indexOf(index) : 0);
const canBeChosen = (index) => Boolean(data.explore && data.explore.regions.includes(index));
const inHand = (index) => canBeChosen(index) && (state.hand & bitOf(index)) !== 0;

function takeByHand(mask) {
  const same = byHand[mask] ? byHand[mask].plan : -1;
  state.hand = mask;
  state.plan = same;
  state.candidate = same >= 0 ? data.plans[same].name : "";
  changed();
}

function react(event) {
  const target = event.target.closest("[data-region],[data-plan]");
  if (!target) return;
  if (event.type === "keydown" && (target.tagName === "BUTTON" || !["Enter", " "].includes(event.key))) return;
  if (event.type === "keydown") event.preventDefault();
  if (target.dataset.region !== undefined) chooseRegion(Number(target.dataset.region));
  else choosePlan(Number(target.dataset.plan));
}
document.addEventListener("click", react);
document.addEventListener("keydown", react);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && (state.region >= 0 || state.plan >= 0 || state.hand)) { state.region = state.plan = -1; state.candidate = ""; state.hand = 0; changed(); }
});

function mark(kind, chosen) {
  all(`[data-${kind}]`).forEach((element) => {
    const is = chosen >= 0 && Number(element.dataset[kind]) === chosen;
    element.classList.toggle("chosen", is);
    if (element.tagName === "BUTTON" || element.getAttribute("role") === "button") element.setAttribute("aria-pressed", String(is));
    const row = element.closest("tr");
    if (row && element.tagName === "BUTTON") row.classList.toggle("chosen-row", is || one(".pick.chosen", row) !== null);
  });
}
listeners.push(() => { mark("region", state.region); mark("plan", state.plan); });
