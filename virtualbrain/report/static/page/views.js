// start of the 3D and slice views, with their controls --------------------------------
async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
function hasWebGL() {
  try { return Boolean(document.createElement("canvas").getContext("webgl2")); } catch { return false; }
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
