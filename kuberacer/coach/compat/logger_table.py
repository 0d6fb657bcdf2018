"""What rl_coach's logger uses of pandas.DataFrame: cells of mixed types by (row, column), appended to a CSV.

pandas 3 refuses a number in a column that began with "", and takes a second to load.
"""

import csv
from typing import Any


class _Index:
    def __init__(self, rows: dict[Any, dict[str, Any]], name: str | None):
        self._rows = rows
        self.name = name

    def __len__(self) -> int:
        return len(self._rows)


class Table:
    def __init__(
        self, rows: dict[Any, dict[str, Any]] | None = None, columns: list[str] | None = None, name: str | None = None
    ):
        self._rows = {} if rows is None else rows
        self.columns = [] if columns is None else columns
        self.index = _Index(self._rows, name)
        self.loc = self

    def __setitem__(self, cell: tuple[Any, str], value: Any) -> None:
        row, column = cell
        if column not in self.columns:
            self.columns.append(column)
        self._rows.setdefault(row, {})[column] = value

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return Table(dict(list(self._rows.items())[key]), self.columns, self.index.name)
        row, column = key
        return self._rows[row][column]

    def to_csv(self, path: str, mode: str = "w", header: bool = True) -> None:
        with open(path, mode, newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if header:
                writer.writerow([self.index.name, *self.columns])
            writer.writerows(
                [row, *(cells.get(name, "") for name in self.columns)] for row, cells in self._rows.items()
            )
