// Sorting by a click on a column's head; without scripts the tables stay as they are.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) button.append(head.firstChild);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const value = (row) => {
        const cell = row.cells[column];
        return cell.classList.contains("n") ? parseFloat(cell.dataset.sort) : cell.textContent.trim();
      };
      const missing = (v) => typeof v === "number" && Number.isNaN(v);
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (missing(x) || missing(y)) return missing(x) - missing(y);
        const order = typeof x === "string" ? y.localeCompare(x) : x - y;
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
}
// On paper only passages and further examples stay folded away.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open], .more, .passages)")) {
    folded.open = true;
    folded.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-folded]")) {
    opened.open = false;
    delete opened.dataset.folded;
  }
});
