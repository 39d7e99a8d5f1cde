"""What a bench found: one row a figure, and whether it meets its bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one side. Without a bar it is there to be compared with."""

    what: str
    side: str
    seen: str
    bar: str = ""
    met: bool | None = None


VERDICTS = {True: "met", False: "NOT MET", None: ""}


def show(title: str, rows: Sequence[Row]) -> None:
    cells = [(row.what, row.side, row.seen, row.bar, VERDICTS[row.met]) for row in rows]
    table = [("what", "side", "seen", "bar", ""), *cells]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    rule = tuple("-" * width for width in widths)
    print(f"\n{title}\n")
    for line in (table[0], rule, *cells):
        pairs = zip(line, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in pairs).rstrip())
