// side of the slices -----------------------------------------------------------------------
const conventions = [(radiological) => {
  root.classList.toggle("radiological", radiological);
  one("#convention-words").textContent = `In the slices, the patient's left is on the ${radiological ? "right (radiological" : "left (neurological"} convention).`;
}];
const convention = one("#convention");
if (convention) convention.addEventListener("change", () => conventions.forEach((follow) => follow(convention.value === "radiological")));

function addContacts(nv, size) {
  const value = { bad: 1, good: 2, seizing: 3 };
  const nodes = data.scene.contacts.map((c) => ({ name: "", x: c.xyz[0], y: c.xyz[1], z: c.xyz[2], colorValue: value[c.state], sizeValue: size }));
  if (!nodes.length) return;
  nv.addColormap("contacts", { R: [110, 139, 255, 232], G: [110, 148, 255, 133], B: [110, 156, 255, 58], A: [255, 255, 255, 255], I: [0, 85, 170, 255] });
  const connectome = nv.loadConnectomeAsMesh({ name: "contacts", nodeColormap: "contacts", nodeColormapNegative: "contacts", nodeMinColor: 0, nodeMaxColor: 3, nodeScale: 1, edgeColormap: "gray", edgeColormapNegative: "gray", edgeMin: 1, edgeMax: 2, edgeScale: 1, nodes, edges: [] });
  nv.addMesh(connectome);
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
