// Tables whose rows are kept while their texts change; on narrow screens each row becomes a card.

import { h, setText } from "./dom.js";

/**
 * columns: [{label, hidden, class, node(row), text(row), paint(cell, row)}]: a node is made once a row, a text is kept
 * up to date, paint does what it likes each time. hidden: a label for readers alone.
 * Roles are said outright because a table that is laid out as cards loses them.
 */
export class Table {
  #rows = new Map(); // key: {element, cells}

  constructor(caption, columns, key) {
    this.columns = columns;
    this.key = key;
    this.body = h("tbody", { role: "rowgroup" });
    const head = columns.map((column) =>
      h("th", { scope: "col", role: "columnheader", class: column.class }, column.hidden
        ? h("span", { class: "hidden-text" }, column.label) : column.label));
    this.element = h("table", { class: "cards", role: "table" },
      h("caption", { class: "hidden-text" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), this.body);
  }

  show(rows) {
    const seen = new Set();
    rows.forEach((row, i) => {
      const key = this.key(row, i);
      seen.add(key);
      if (!this.#rows.has(key)) this.#rows.set(key, this.#make(row));
      const { element, cells } = this.#rows.get(key);
      this.columns.forEach((column, j) => {
        if (column.text) setText(cells[j], column.text(row));
        column.paint?.(cells[j], row);
      });
      if (this.body.children[i] !== element) this.body.insertBefore(element, this.body.children[i] ?? null);
    });
    for (const [key, { element }] of this.#rows) {
      if (!seen.has(key)) { element.remove(); this.#rows.delete(key); }
    }
  }

  #make(row) {
    const cells = this.columns.map((column) =>
      h("td", { role: "cell", class: column.class, "data-label": column.hidden ? "" : column.label },
        column.node ? column.node(row) : null));
    return { cells, element: h("tr", { role: "row" }, cells) };
  }
}
