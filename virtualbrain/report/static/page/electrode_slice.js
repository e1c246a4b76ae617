// a slice of the T1 along one electrode -----------------------------------------------------
// The plane holds the electrode and the direction nearest to up (for a vertical electrode: to the right).
const perpendicular = (a, along) => unit(a.map((value, axis) => value - dot(a, along) * along[axis]));
const flipped = (a) => a.map((value) => -value);

function readVolume(bytes) {
  // the page holds little-endian NIfTI-1 volumes of one or two bytes, with axes along right, front, up
  const view = new DataView(bytes), start = view.getFloat32(108, true);
  return {
    shape: [1, 2, 3].map((axis) => view.getInt16(40 + 2 * axis, true)),
    origin: [0, 1, 2].map((row) => view.getFloat32(280 + 16 * row + 12, true)),
    spacing: [0, 1, 2].map((row) => view.getFloat32(280 + 16 * row + 4 * row, true)),
    values: view.getInt16(70, true) === 2 ? new Uint8Array(bytes, start) : new Int16Array(bytes, start),
  };
}

function nearestValue(volume, i, j, k) {
  const [a, b, c] = [i, j, k].map(Math.round), [x, y, z] = volume.shape;
  return a < 0 || b < 0 || c < 0 || a >= x || b >= y || c >= z ? 0 : volume.values[a + x * (b + y * c)];
}

function linearValue(volume, i, j, k) {
  const base = [i, j, k].map(Math.floor), part = [i - base[0], j - base[1], k - base[2]];
  let sum = 0;
  for (let corner = 0; corner < 8; corner += 1) {
    const step = [corner & 1, (corner >> 1) & 1, corner >> 2];
    const weight = step.reduce((w, s, axis) => w * (s ? part[axis] : 1 - part[axis]), 1);
    if (weight) sum += weight * nearestValue(volume, base[0] + step[0], base[1] + step[1], base[2] + step[2]);
  }
  return sum;
}

function planeAlong(contacts) {
  // unit vectors to the right and up in the picture, and the middle of the electrode
  const first = contacts[0].xyz, last = contacts[contacts.length - 1].xyz;
  const axis = unit(last.map((value, a) => value - first[a]));
  const middle = first.map((value, a) => (value + last[a]) / 2);
  if (Math.abs(axis[2]) > 0.8) {
    const up = axis[2] > 0 ? axis : flipped(axis);
    return { right: perpendicular([1, 0, 0], up), up, middle };
  }
  const sideways = Math.abs(axis[0]) > 0.3 ? axis[0] : axis[1];
  const right = sideways > 0 ? axis : flipped(axis);
  return { right, up: perpendicular([0, 0, 1], right), middle };
}

function extentOf(volume, plane) {
  // the range of the head in the plane, in mm from the middle of the electrode
  const far = volume.shape.map((n, a) => volume.origin[a] + (n - 1) * volume.spacing[a]);
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  for (let corner = 0; corner < 8; corner += 1) {
    const place = [0, 1, 2].map((a) => ((corner >> a) & 1 ? far[a] : volume.origin[a]) - plane.middle[a]);
    [plane.right, plane.up].forEach((direction, a) => {
      low[a] = Math.min(low[a], dot(place, direction));
      high[a] = Math.max(high[a], dot(place, direction));
    });
  }
  return { low, high };
}

const MM_PER_PIXEL = 0.5;

function setUpElectrodeSlice() {
  const holder = one("#electrode-slice");
  if (!holder || !data.scene.t1 || typeof DecompressionStream === "undefined") return;
  const electrodes = new Map();
  data.scene.contacts.forEach((contact) => electrodes.set(contact.electrode, [...(electrodes.get(contact.electrode) || []), contact]));
  const usable = [...electrodes].filter(([, contacts]) => contacts.length > 1);
  if (!usable.length) return;
  const chosen = one("#electrode"), canvas = one("canvas", holder), words = one("#electrode-words");
  usable.forEach(([name]) => { const option = element("option", name); option.value = name; chosen.append(option); });
  chosen.value = nearestElectrode(usable);
  holder.hidden = false;
  let volumes = null, sampled = null, radiological = false, drawn = Promise.resolve();
  const draw = async () => {
    volumes ??= await Promise.all([data.scene.t1, data.scene.labels].map(async (packed) => readVolume(await inflate(packed))));
    const contacts = electrodes.get(chosen.value), plane = planeAlong(contacts);
    const mirrored = radiological && Math.abs(plane.right[0]) > 0.5;
    const key = `${chosen.value} ${mirrored}`;
    // the player paints many times: only the tint changes then
    if (!sampled || sampled.key !== key) sampled = { key, ...sampleSlice(volumes, plane, mirrored) };
    paintSlice(canvas, sampled, plane, contacts, mirrored);
    words.textContent = sliceInWords(plane, contacts, mirrored);
    holder.dataset.shown = chosen.value;
  };
  // one drawing after the other: the last choice stays
  const again = () => { drawn = drawn.then(draw); };
  chosen.addEventListener("change", again);
  listeners.push(again);
  conventions.push((chosenConvention) => { radiological = chosenConvention; again(); });
  again();
}

function nearestElectrode(usable) {
  const region = data.regions[data.first];
  if (!region || !region.xyz) return usable[0][0];
  const gap = (contact) => Math.hypot(...contact.xyz.map((value, axis) => value - region.xyz[axis]));
  const distance = ([, contacts]) => Math.min(...contacts.map(gap));
  return usable.reduce((best, next) => (distance(next) < distance(best) ? next : best))[0];
}

function sampleSlice([t1, labels], plane, mirrored) {
  // grey level and region of every pixel
  const { low, high } = extentOf(t1, plane);
  const width = Math.ceil((high[0] - low[0]) / MM_PER_PIXEL), height = Math.ceil((high[1] - low[1]) / MM_PER_PIXEL);
  const grey = new Float32Array(width * height), region = new Int16Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const a = low[0] + (mirrored ? width - 1 - x : x) * MM_PER_PIXEL, b = high[1] - y * MM_PER_PIXEL;
      const at = plane.middle.map((m, axis) => (m + a * plane.right[axis] + b * plane.up[axis] - t1.origin[axis]) / t1.spacing[axis]);
      grey[x + width * y] = linearValue(t1, ...at);
      region[x + width * y] = nearestValue(labels, ...at) - data.scene.first_label;
    }
  }
  return { low, high, width, height, grey, region };
}

function paintSlice(canvas, { low, high, width, height, grey, region }, plane, contacts, mirrored) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
  const tint = data.regions.map((_, index) => tintOf(index));
  grey.forEach((level, pixel) => {
    const [colour, cover] = tint[region[pixel]] || [GREY, 0], place = 4 * pixel;
    for (let channel = 0; channel < 3; channel += 1) picture.data[place + channel] = level + cover * (colour[channel] - level);
    picture.data[place + 3] = 255;
  });
  context.putImageData(picture, 0, 0);
  drawContacts(context, contacts, (place) => {
    const from = place.map((value, axis) => value - plane.middle[axis]);
    const a = (dot(from, plane.right) - low[0]) / MM_PER_PIXEL;
    return [mirrored ? width - 1 - a : a, (high[1] - dot(from, plane.up)) / MM_PER_PIXEL];
  });
  writeSides(context, plane, mirrored);
}

function tintOf(index) {
  const metric = data.metrics[state.metric], value = metric ? metric.values[index] : null;
  if (index === state.region) return [CHOSEN, 0.75];
  if (removed(index)) return [DARK, 0.75];
  if (value === null || value === undefined || seizingAt(index) === false) return [GREY, 0];
  return [colourOf(index), (0.3 + 0.4 * fractionOf(metric, value)) * strengthOf(metric, value)];
}

function drawContacts(context, contacts, placeOf) {
  const fill = { bad: "#6e6e6e", good: "#ffffff", seizing: "#e8853a" };
  context.font = "bold 13px sans-serif";
  context.textAlign = "center";
  contacts.forEach((contact, number) => {
    const [x, y] = placeOf(contact.xyz);
    context.beginPath();
    context.arc(x, y, 4, 0, 2 * Math.PI);
    context.fillStyle = fill[contact.state];
    context.fill();
    context.strokeStyle = "#000000";
    context.stroke();
    if (number === 0 || number === contacts.length - 1) outlined(context, contact.name, x, y - 9);
  });
}

function outlined(context, text, x, y) {
  context.lineWidth = 3;
  context.strokeStyle = "#000000";
  context.strokeText(text, x, y);
  context.lineWidth = 1;
  context.fillStyle = "#ffffff";
  context.fillText(text, x, y);
}

function lettersOf(direction) {
  const axis = direction.map(Math.abs).indexOf(Math.max(...direction.map(Math.abs)));
  const letters = [["L", "R"], ["P", "A"], ["I", "S"]][axis];
  return direction[axis] > 0 ? letters : [letters[1], letters[0]];
}

function writeSides(context, plane, mirrored) {
  const { width, height } = context.canvas, [low, high] = lettersOf(plane.right), [bottom, top] = lettersOf(plane.up);
  context.font = "bold 20px sans-serif";
  outlined(context, mirrored ? high : low, 14, height / 2);
  outlined(context, mirrored ? low : high, width - 14, height / 2);
  outlined(context, top, width / 2, 22);
  outlined(context, bottom, width / 2, height - 8);
  context.fillStyle = "#ffffff";
  context.fillRect(14, height - 14, 20 / MM_PER_PIXEL, 3);
  context.font = "13px sans-serif";
  outlined(context, "2 cm", 14 + 10 / MM_PER_PIXEL, height - 20);
}

function sliceInWords(plane, contacts, mirrored) {
  const [low, high] = lettersOf(plane.right), names = { L: "left", R: "right", P: "back", A: "front", I: "below", S: "above" };
  const first = mirrored ? high : low, crossed = [...new Set(contacts.map((contact) => data.regions[contact.region]).filter(Boolean).map((region) => region.name))];
  return `${contacts[0].name} to ${contacts[contacts.length - 1].name}; the patient's ${names[first]} is on the left of the picture. Regions at its contacts: ${crossed.length ? crossed.join(", ") : "none"}.`;
}
setUpElectrodeSlice();
