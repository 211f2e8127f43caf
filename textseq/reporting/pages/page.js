"use strict";
// Heads of sortable tables become buttons; numbers sort by value, words by the alphabet.
const number = (cell) => parseFloat(cell.textContent.replaceAll(",", "").replace("−", "-"));
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort === "ascending";
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      head.ariaSort = down ? "descending" : "ascending";
      const words = head.classList.contains("text");
      const order = (a, b) => words ? a.cells[place].textContent.localeCompare(b.cells[place].textContent) : number(a.cells[place]) - number(b.cells[place]);
      body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, b)));
    });
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.unprinted)").forEach((it) => { it.open = true; }));
