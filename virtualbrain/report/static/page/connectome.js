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
