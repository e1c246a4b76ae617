// area that seizes over time, before and after surgery: a step at each onset and end ------------
function areaCurve(parts, surgery) {
  const steps = [], first = surgery ? 2 : 0;
  for (const { times, flags, areas } of parts) {
    for (let i = 0; i < flags.length; i++) {
      const onset = times[4 * i + first], end = times[4 * i + first + 1];
      if (onset >= NEVER || (surgery && flags[i] & REMOVED)) continue;
      steps.push([onset, areas[i]], [end, -areas[i]]);
    }
  }
  steps.sort((one, other) => one[0] - other[0]);
  let sum = 0;
  return { at: Float64Array.from(steps, (step) => step[0]), area: Float64Array.from(steps, (step) => (sum += step[1])) };
}
// cm² at a time
function areaAt({ at, area }, time) {
  let low = 0, high = at.length;
  while (low < high) { const middle = (low + high) >> 1; if (at[middle] <= time) low = middle + 1; else high = middle; }
  return low ? Math.max(0, area[low - 1]) / 100 : 0;
}
