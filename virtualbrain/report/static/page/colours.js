// colours of the regions --------------------------------------------------------------------------
const VIRIDIS = [[68,1,84],[72,36,117],[65,68,135],[53,95,141],[42,120,142],[33,145,140],[34,168,132],[68,191,112],[122,209,81],[189,223,38],[253,231,37]];
const GREY = [205, 205, 200], LIGHT = [228, 228, 224], CHOSEN = [209, 73, 91], DARK = [120, 124, 128];
function viridis(fraction) {
  const place = Math.min(Math.max(fraction, 0), 1) * (VIRIDIS.length - 1), low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[low].map((v, i) => Math.round(v + (place - low) * (VIRIDIS[low + 1][i] - v)));
}

function seizingAt(index) {
  // true if the region seizes at the time shown; null where the whole map is shown
  const hand = state.candidate ? null : chosenByHand();
  // the table of combinations has no onsets: the end of the seizure is shown
  if (hand) return !inHand(index) && hand.seizing.some(([i, p]) => i === index && p >= 0.5);
  const time = state.time === null && state.candidate ? Infinity : state.time;
  if (time === null) return null;
  const course = data.recruitment[state.candidate || data.no_surgery];
  const plan = data.plans.find((p) => p.name === state.candidate);
  if (plan && plan.regions.includes(index)) return false;
  const base = onsets();
  const [onset, p] = course ? course[index] : [base ? base[index] : null, 1];
  return onset !== null && onset <= time && (p === null || p >= 0.5);
}
function seizingOnAverage() {
  // sum of the probabilities of the regions whose onset has passed; at the end their mean number
  if (!state.candidate && chosenByHand()) return chosenByHand().after;
  const course = data.recruitment[state.candidate || data.no_surgery];
  const end = state.time === null ? Infinity : state.time;
  if (!course) return data.regions.filter((_, i) => { const s = seizingAt(i); return s === null ? onsets()[i] !== null : s; }).length;
  return course.reduce((sum, [onset, p]) => sum + (onset !== null && onset <= end ? p ?? 0 : 0), 0);
}
function onsets() {
  const metric = data.metrics.find((m) => m.key === "onset_s");
  return metric ? metric.values : null;
}
function removed(index) {
  const plan = data.plans.find((p) => p.name === state.candidate);
  return inHand(index) || Boolean(plan && plan.regions.includes(index));
}
function colourOf(index, ground = GREY) {
  if (index === state.region) return CHOSEN;
  if (removed(index)) return DARK;
  const metric = data.metrics[state.metric], value = metric ? metric.values[index] : null;
  const seizing = seizingAt(index);
  if (seizing === false || value === null || value === undefined) return ground;
  const colour = viridis(fractionOf(metric, value)), strength = strengthOf(metric, value);
  return colour.map((c, i) => Math.round(ground[i] + strength * (c - ground[i])));
}
function fractionOf(metric, value) {
  return Math.min(1, Math.max(0, (value - metric.low) / (metric.high - metric.low || 1)));
}
function strengthOf(metric, value) {
  // low probabilities fade into grey, as in the static images
  return metric.floor === null ? 1 : Math.min(1, Math.max(0, (fractionOf(metric, value) - metric.floor) / 0.25));
}
