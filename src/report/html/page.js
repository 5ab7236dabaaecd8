// Tables are sorted by the column whose heading is pressed: numbers by value, words by letters.
document.querySelectorAll("table").forEach((table) => {
  const body = table.tBodies[0];
  table.querySelectorAll("th").forEach((heading, column) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent || "·";
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].textContent.trim();
      const compare = (a, b) => {
        const [x, y] = [parseFloat(value(a)), parseFloat(value(b))];
        const known = !Number.isNaN(x) && !Number.isNaN(y);
        return known ? x - y : value(a).localeCompare(value(b));
      };
      const rows = [...body.rows].sort(compare);
      body.append(...(down ? rows.reverse() : rows));
    });
  });
});
// What is folded away on the screen is printed.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
