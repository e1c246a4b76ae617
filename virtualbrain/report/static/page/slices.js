// side of the slices -----------------------------------------------------------------------
const conventions = [(radiological) => {
  root.classList.toggle("radiological", radiological);
  one("#convention-words").textContent = `In the slices, the patient's left is on the ${radiological ? "right (radiological" : "left (neurological"} convention).`;
}];
const convention = one("#convention");
if (convention) convention.addEventListener("change", () => conventions.forEach((follow) => follow(convention.value === "radiological")));

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (a) => a.map((value) => value / Math.hypot(...a));

function icosphere() {
  // directions and triangles of an icosahedron whose edges are split once
  const g = (1 + Math.sqrt(5)) / 2, points = [];
  [[0, 1, 2], [1, 2, 0], [2, 0, 1]].forEach((order) => [1, -1].forEach((a) => [g, -g].forEach((b) => {
    const point = [0, 0, 0];
    point[order[1]] = a;
    point[order[2]] = b;
    points.push(unit(point));
  })));
  const near = (a, b) => dot(points[a], points[b]) > 0.4, edges = new Map(), triangles = [];
  const middle = (a, b) => {
    const key = Math.min(a, b) * 12 + Math.max(a, b);
    if (!edges.has(key)) edges.set(key, points.push(unit(points[a].map((value, axis) => value + points[b][axis]))) - 1);
    return edges.get(key);
  };
  for (let a = 0; a < 12; a += 1) for (let b = a + 1; b < 12; b += 1) for (let c = b + 1; c < 12; c += 1) {
    if (!near(a, b) || !near(b, c) || !near(a, c)) continue;
    const [p, q, r] = outwards(points, a, b, c), [pq, qr, rp] = [middle(p, q), middle(q, r), middle(r, p)];
    triangles.push([p, pq, rp], [q, qr, pq], [r, rp, qr], [pq, qr, rp]);
  }
  return { points, triangles };
}

function outwards(points, a, b, c) {
  const [p, q, r] = [a, b, c].map((index) => points[index]), u = q.map((v, k) => v - p[k]), w = r.map((v, k) => v - p[k]);
  const normal = [u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]];
  return dot(normal, p) > 0 ? [a, b, c] : [a, c, b];
}

function addContacts(nv, radius_mm) {
  // a mesh and not nodes of niivue: Firefox changes the colours of nodes with much blue
  const colours = { bad: [139, 148, 156, 255], good: [255, 255, 255, 255], seizing: [232, 133, 58, 255] };
  const sphere = icosphere(), n = sphere.points.length, contacts = data.scene.contacts;
  if (!contacts.length) return;
  const places = contacts.flatMap((c) => sphere.points.flatMap((point) => point.map((value, axis) => c.xyz[axis] + radius_mm * value)));
  const triangles = contacts.flatMap((_, k) => sphere.triangles.flat().map((vertex) => vertex + k * n));
  const colour = contacts.flatMap((c) => Array(n).fill(colours[c.state]).flat());
  nv.addMesh(new niivue.NVMesh(new Float32Array(places), new Uint32Array(triangles), "contacts", new Uint8Array(colour), 1, true, nv.gl));
}

async function setUpSlices() {
  if (!data.scene.t1) { one("#gl-slices").parentElement.remove(); return null; }
  const nv = new niivue.Niivue({ backColor: [0.06, 0.09, 0.11, 1], isColorbar: false, loadingText: "", dragAndDropEnabled: false, logLevel: "error", fontColor: [1, 1, 1, 1], fontMinPx: 22, multiplanarPadPixels: 14, showAllOrientationMarkers: true, crosshairColor: [0.95, 0.6, 0.2, 0.9], crosshairWidth: 0.6, meshThicknessOn2D: 3 });
  await nv.attachToCanvas(one("#gl-slices"));
  const load = async (text, name, options) => nv.addVolume(await niivue.NVImage.loadFromBase64({ base64: text, name, ...options }));
  await load(data.scene.t1, "t1.nii.gz", { colormap: "gray", cal_min: 0, cal_max: 255 });
  await load(data.scene.labels, "labels.nii.gz", { opacity: 1 });
  nv.setSliceType(nv.sliceTypeMultiplanar);
  nv.opts.multiplanarShowRender = niivue.SHOW_RENDER.NEVER;
  addContacts(nv, 2);
  const paint = () => {
    const first = data.scene.first_label, clear = () => Array(first).fill(0);
    const table = { R: clear(), G: clear(), B: clear(), A: clear(), I: clear().map((_, i) => i), labels: Array(first).fill("") };
    const metric = data.metrics[state.metric];
    data.regions.forEach((region, i) => {
      const [r, g, b] = colourOf(i), v = metric ? metric.values[i] : null;
      const cover = v === null || v === undefined ? 0 : (70 + 110 * fractionOf(metric, v)) * strengthOf(metric, v);
      table.R.push(r); table.G.push(g); table.B.push(b); table.I.push(first + i); table.labels.push(region.name);
      table.A.push(i === state.region ? 255 : removed(i) ? 200 : seizingAt(i) === false ? 0 : Math.round(cover));
    });
    nv.volumes[1].setColormapLabel(table);
    nv.updateGLVolume();
  };
  const move = () => {
    const region = data.regions[state.region >= 0 ? state.region : data.first];
    if (!region || !region.xyz) return;
    nv.scene.crosshairPos = nv.mm2frac(region.xyz);
    nv.drawScene();
    showPlace(region.xyz, data.regions.indexOf(region));
  };
  nv.onLocationChange = (location) => {
    const label = Math.round(location.values?.[1]?.value ?? 0);
    const index = label - data.scene.first_label;
    showPlace(location.mm, index);
    if (picking && index >= 0 && index !== state.region) chooseRegion(index);
    picking = false;
  };
  let picking = false;
  one("#gl-slices").addEventListener("pointerdown", () => { picking = true; }, true);
  listeners.push(paint, move);
  conventions.push((radiological) => nv.setRadiologicalConvention(radiological));
  paint();
  move();
  return nv;
}

function showPlace(mm, index) {
  const where = [...mm].slice(0, 3).map((value) => value.toFixed(0).replace("-", "−")).join(", ");
  const name = data.regions[index] ? ` · ${data.regions[index].name}` : "";
  one("#place").textContent = `Crosshair: ${where} mm (right, front, up)${name}`;
}
