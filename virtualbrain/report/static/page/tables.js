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
