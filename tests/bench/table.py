"""The results of a benchmark: one row per figure, which may have a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure for one contender. A figure without a target is for comparison."""

    what: str
    contender: str
    result: str
    target: str = ""
    met: bool | None = None


VERDICTS = {True: "met", False: "NOT MET", None: ""}


def show(title: str, rows: Sequence[Row]) -> None:
    cells = [(row.what, row.contender, row.result, row.target, VERDICTS[row.met]) for row in rows]
    table = [("measurement", "contender", "result", "target", ""), *cells]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    rule = tuple("-" * width for width in widths)
    print(f"\n{title}\n")
    for line in (table[0], rule, *cells):
        pairs = zip(line, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in pairs).rstrip())
