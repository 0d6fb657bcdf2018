// A run's history: one row an iteration. Rows may come twice (after a reconnect, or with a lap that was driven late).

export class History {
  #rows = new Map(); // iteration: {column: value}

  constructor(table = null) {
    if (table) this.add(table);
  }

  /** table: {columns, rows}, as the server sends it. */
  add({ columns, rows }) {
    const at = columns.indexOf("iteration");
    for (const row of rows) {
      this.#rows.set(row[at], Object.fromEntries(columns.map((name, i) => [name, row[i]])));
    }
  }

  get size() {
    return this.#rows.size;
  }

  /** Rows by iteration, with what follows from two neighbours: steps_per_second_here and whole_seconds. */
  rows() {
    const rows = [...this.#rows.values()].sort((a, b) => a.iteration - b.iteration);
    return rows.map((row, i) => {
      const before = rows[i - 1];
      const next = before && before.iteration === row.iteration - 1;
      const seconds = next ? row.seconds - before.seconds : row.iteration === 1 ? row.seconds : null;
      const steps = next ? row.steps - before.steps : row.steps;
      return { ...row, whole_seconds: seconds, steps_per_second_here: seconds > 0 ? steps / seconds : null };
    });
  }
}
