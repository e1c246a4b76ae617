"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("embedded").textContent);
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const state = { region: -1, plan: -1, metric: 0, time: null, candidate: "", hand: 0 };
  const listeners = [];
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

  // facts on the chosen region -----------------------------------------------------------
  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }
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

  // tables -------------------------------------------------------------------------------
  function setUpTable(holder) {
    const body = one("tbody", holder), rows = [...body.rows], filter = one("input", holder), count = one(".count", holder);
    const headings = all("thead th", holder);
    headings.forEach((heading, column) => one("button", heading).addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = one("button", heading).dataset.numeric === "1";
      const value = (row) => row.cells[column].dataset.sort;
      rows.sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true });
        return up ? order : -order;
      });
      body.append(...rows);
    }));
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
  }
  all(".table").forEach(setUpTable);

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

  // the connectome ------------------------------------------------------------------------
  function readMatrix() {
    const link = one("#connectome a.download");
    if (!link) return null;
    const bytes = Uint8Array.from(atob(link.href.split(",")[1]), (c) => c.charCodeAt(0));
    const lines = new TextDecoder().decode(bytes).trim().split("\n").slice(1);
    return lines.map((line) => line.split("\t").slice(-data.regions.length).map(Number));
  }
  function setUpMatrix() {
    const figure = one("#matrix");
    if (!figure) return;
    const words = one("#matrix-words"), cross = one(".cross", figure), strongest = one("#strongest"), picture = one("img", figure);
    const n = data.regions.length;
    let weights = null;
    const need = () => (weights ??= readMatrix());
    const cell = (event) => {
      const box = picture.getBoundingClientRect();
      const at = (value, size) => Math.min(n - 1, Math.max(0, Math.floor((value / size) * n)));
      return [at(event.clientY - box.top, box.height), at(event.clientX - box.left, box.width)];
    };
    picture.addEventListener("mousemove", (event) => {
      const [row, column] = cell(event);
      words.textContent = `${data.regions[row].name} – ${data.regions[column].name}: ${need()[row][column].toPrecision(4)}`;
    });
    picture.addEventListener("click", (event) => chooseRegion(cell(event)[0]));
    listeners.push(() => {
      cross.hidden = state.region < 0;
      strongest.replaceChildren();
      if (state.region < 0 || !need()) return;
      cross.style.setProperty("--at", `${(100 * (state.region + 0.5)) / n}%`);
      const order = weights[state.region].map((w, i) => [w, i]).filter(([w]) => w > 0).sort((a, b) => b[0] - a[0]).slice(0, 8);
      strongest.append(element("h3", `Strongest connections of ${data.regions[state.region].name}`));
      const list = element("ol");
      order.forEach(([w, i]) => {
        const item = element("li"), button = element("button", data.regions[i].name, "pick");
        button.type = "button"; button.dataset.region = String(i);
        item.append(button, ` ${w.toPrecision(3)}`);
        list.append(item);
      });
      strongest.append(order.length ? list : element("p", "This region has no connections."));
    });
  }
  setUpMatrix();

  // side of the slices -----------------------------------------------------------------------
  const conventions = [(radiological) => {
    root.classList.toggle("radiological", radiological);
    one("#convention-words").textContent = `In the slices, the patient's left is on the ${radiological ? "right (radiological" : "left (neurological"} convention).`;
  }];
  const convention = one("#convention");
  if (convention) convention.addEventListener("change", () => conventions.forEach((follow) => follow(convention.value === "radiological")));

  // 3D and slices --------------------------------------------------------------------------
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

  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }
  function hasWebGL() {
    try { return Boolean(document.createElement("canvas").getContext("webgl2")); } catch { return false; }
  }

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

  function setUpControls() {
    const metric = one("#metric"), region = one("#region");
    const legend = () => {
      const chosen = data.metrics[state.metric];
      if (!chosen) return;
      const number = (v) => `${Number(v.toPrecision(3))} ${chosen.unit}`;
      one("#legend-low").textContent = number(chosen.low);
      one("#legend-high").textContent = number(chosen.high);
      one("#viewer .ramp").classList.toggle("fade", chosen.floor !== null);
    };
    metric.addEventListener("change", () => { state.metric = Number(metric.value); changed(); });
    region.addEventListener("change", () => { state.region = Number(region.value); changed(); });
    listeners.push(() => { region.value = String(state.region); legend(); });
    legend();
    setUpPlayer();
  }

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

  async function setUpViewer() {
    const viewer = one("#viewer");
    if (!viewer) return;
    if (typeof niivue === "undefined" || typeof DecompressionStream === "undefined" || !hasWebGL()) { viewer.remove(); return; }
    viewer.hidden = false;
    root.classList.add("with-views");
    try {
      const views = {};
      if (Object.keys(data.scene.meshes).length) views.mesh = await setUpMeshes();
      else one("#gl-mesh").parentElement.remove();
      views.slices = await setUpSlices();
      setUpControls();
      window.report = { state, views };
      root.dataset.views = "ready";
    } catch (error) {
      root.classList.remove("with-views");
      viewer.remove();
      root.dataset.views = `failed: ${error}`;
    }
  }
  setUpViewer();
})();
