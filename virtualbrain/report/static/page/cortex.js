// the cortex with electrodes in 3D ----------------------------------------------------
async function setUpMeshes() {
  const nv = new niivue.Niivue({ backColor: [0.945, 0.953, 0.957, 1], show3Dcrosshair: false, isColorbar: false, isOrientCube: false, loadingText: "", dragAndDropEnabled: false, logLevel: "error" });
  await nv.attachToCanvas(one("#gl-mesh"));
  const cortex = [];
  let turned = -1;
  for (const [side, packed] of Object.entries(data.scene.meshes)) {
    const mesh = await niivue.NVMesh.readMesh(await inflate(packed.mz3), `${side}.mz3`, nv.gl, 1, new Uint8Array([205, 205, 200, 255]), true);
    const regions = new Uint16Array(await inflate(packed.regions));
    nv.addMesh(mesh);
    nv.setMeshShader(mesh.id, "Diffuse");
    cortex.push([mesh, regions]);
  }
  addContacts(nv, 1.4);
  const paint = () => {
    cortex.forEach(([mesh, regions]) => {
      const colours = new Uint8Array(regions.length * 4);
      const palette = [LIGHT, ...data.regions.map((_, i) => colourOf(i, LIGHT))];
      regions.forEach((region, vertex) => { colours.set(palette[region], 4 * vertex); colours[4 * vertex + 3] = 255; });
      mesh.rgba255 = colours;
      mesh.updateMesh(nv.gl);
    });
    nv.drawScene();
  };
  const look = { left: [90, 10], right: [270, 10], top: [0, 90], bottom: [0, -90], front: [180, 10] };
  all("[data-view]").forEach((button) => button.addEventListener("click", () => {
    nv.setRenderAzimuthElevation(...look[button.dataset.view]);
  }));
  const xray = one("#xray");
  const setXray = () => { nv.opts.meshXRay = Number(xray.value) / 150; nv.drawScene(); };
  xray.addEventListener("input", setXray);
  one("#gl-mesh").addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
    if (!turn) return;
    event.preventDefault();
    nv.setRenderAzimuthElevation(nv.scene.renderAzimuth + turn[0], nv.scene.renderElevation + turn[1]);
  });
  listeners.push(paint, () => { if (state.region !== turned) { turned = state.region; turnTo(nv); } });
  const names = electrodeNames();
  const letters = () => {
    showSides(nv.scene.renderAzimuth, nv.scene.renderElevation);
    const onScreen = projection(nv);
    names.forEach(([name, xyz]) => {
      const [across, down] = onScreen(xyz);
      name.style.left = `${100 * across}%`;
      name.style.top = `${100 * down}%`;
      name.hidden = across < 0.02 || across > 0.98 || down < 0.03 || down > 0.97;
    });
  };
  nv.scene.onAzimuthElevationChange = letters;
  nv.onAzimuthElevationChange = letters;
  nv.onZoom3DChange = letters;
  chooseByClick(nv, cortex);
  nv.setRenderAzimuthElevation(120, 15);
  turnTo(nv);
  setXray();
  paint();
  letters();
  return nv;
}

function projection(nv) {
  // map a place (mm) to fractions of the canvas from its left and top, and to its depth
  const {width, height} = nv.gl.canvas;
  const [m] = nv.calculateMvpMatrix(null, [0, 0, width, height], nv.scene.renderAzimuth, nv.scene.renderElevation);
  return ([x, y, z]) => {
    const at = (row) => m[row] * x + m[row + 4] * y + m[row + 8] * z + m[row + 12];
    return [(1 + at(0) / at(3)) / 2, (1 - at(1) / at(3)) / 2, at(2) / at(3)];
  };
}

function electrodeNames() {
  // one label per electrode, at its contact farthest from the middle of the regions
  const places = data.regions.map((region) => region.xyz).filter(Boolean);
  const middle = [0, 1, 2].map((axis) => places.reduce((sum, xyz) => sum + xyz[axis], 0) / (places.length || 1));
  const far = (contact) => Math.hypot(...contact.xyz.map((value, axis) => value - middle[axis]));
  const outer = new Map();
  data.scene.contacts.forEach((contact) => {
    const known = outer.get(contact.electrode);
    if (!known || far(contact) > far(known)) outer.set(contact.electrode, contact);
  });
  return [...outer.values()].map((contact) => {
    const name = element("span", contact.electrode, "electrode");
    one("#gl-mesh").parentElement.append(name);
    return [name, contact.xyz];
  });
}

function chooseByClick(nv, cortex) {
  // a click without a drag chooses the region of the nearest visible vertex
  const canvas = one("#gl-mesh"), within = 9;
  let start = null;
  canvas.addEventListener("pointerdown", (event) => { start = [event.clientX, event.clientY]; }, true);
  canvas.addEventListener("click", (event) => {
    if (!start || Math.hypot(event.clientX - start[0], event.clientY - start[1]) > 4) return;
    const box = canvas.getBoundingClientRect(), onScreen = projection(nv);
    let best = null;
    cortex.forEach(([mesh, regions]) => regions.forEach((region, vertex) => {
      const [across, down, depth] = onScreen(mesh.pts.subarray(3 * vertex, 3 * vertex + 3));
      const off = Math.hypot(across * box.width + box.left - event.clientX, down * box.height + box.top - event.clientY);
      if (off <= within && (!best || depth < best[0])) best = [depth, region];
    }));
    if (best && best[1] > 0 && best[1] - 1 !== state.region) chooseRegion(best[1] - 1);
  });
}

function showSides(azimuth, elevation) {
  // letters at the edges that show the patient's left and right; from the side, the side shown
  const angle = (azimuth * Math.PI) / 180, across = Math.cos(angle), first = one(".side-first"), last = one(".side-last");
  const lateral = Math.abs(across) < 0.5 && Math.abs(elevation) < 60;
  first.textContent = lateral ? (Math.sin(angle) > 0 ? "L" : "R") : across > 0 ? "L" : "R";
  last.textContent = lateral ? "" : across > 0 ? "R" : "L";
}

function turnTo(nv) {
  // turn the chosen region towards the viewer
  const region = data.regions[state.region >= 0 ? state.region : data.first];
  if (!region || !region.xyz) return;
  const [x, y, z] = region.xyz, flat = Math.hypot(x, y + 20);
  const azimuth = (Math.atan2(-x, -(y + 20)) * 180) / Math.PI, elevation = (Math.atan2(z - 10, flat) * 180) / Math.PI;
  nv.setRenderAzimuthElevation((azimuth + 360) % 360, Math.max(-60, Math.min(60, elevation)));
}
