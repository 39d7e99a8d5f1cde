"""The page with the results of all benchmarks, docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from app.embedded.home import ROOT
from tests.bench.environment import SERVERS
from tests.bench.table import VERDICTS, Row

FILE = ROOT / "docs" / "benchmarks.md"


class Part(NamedTuple):
    """The results of one benchmark."""

    name: str
    notes: str
    disk: str
    rows: Sequence[Row]


def write_page(
    parts: Sequence[Part], machine: str, rounds: int, day: date, path: Path = FILE
) -> None:
    """Replace the page with these results."""
    path.write_text(page(parts, machine, rounds, day))


def page(parts: Sequence[Part], machine: str, rounds: int, day: date) -> str:
    met = [row.met for part in parts for row in part.rows if row.met is not None]
    lines = [
        "# Benchmarks",
        "",
        f"Written by `just bench` on {day:%d %B %Y}. {sum(met)} of {len(met)} targets are met.",
        "Trust the ratios; the times are those of this machine, which ran the servers, the service",
        "and the benchmark.",
        "",
        f"- Machine and versions: {machine}.",
        f"- Servers: {SERVERS}.",
        f"- Disk: {parts[0].disk}.",
        f"- Medians of {rounds} rounds; the contenders take turns.",
        *(f"- **{part.name}**: {part.notes}" for part in parts),
        "",
        "| benchmark | measurement | contender | result | target | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part in parts:
        for row in part.rows:
            cells = (part.name, row.what, row.contender, row.result, row.target, VERDICTS[row.met])
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"
