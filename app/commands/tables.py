"""What operators read on a terminal: rows as aligned tables, a job as a sheet.

Errors come from anywhere: whatever could move a cursor or break a line is taken out of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from app.jobs.admin.rows import JobDetail, JobSummary, RunningJob

WIDEST = 72
"""Characters of a cell, behind which a text is cut."""
OF_A_JOB = ("id", "state", "kind", "queue", "attempt", "run_at", "finished_at", "error")
"""The columns of a list of jobs."""


def shown(answer: Sequence[Struct] | Struct) -> str:
    """Rows as a table, a job as a sheet."""
    match answer:
        case JobDetail():
            return sheet(answer)
        case Struct():
            return table([answer])
        case [JobSummary(), *_]:
            return table(answer, *OF_A_JOB)
        case _:
            return table(answer)


def table(rows: Sequence[Struct], *columns: str) -> str:
    """One line a row under the names of the columns; without names, all of the first row's."""
    if not rows:
        return "none"
    names = columns or rows[0].__struct_fields__
    body = [[_cell(getattr(row, name)) for name in names] for row in rows]
    head = [name.replace("_", " ") for name in names]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    numeric = [type(getattr(rows[0], name)) in {int, float} for name in names]
    return "\n".join(_line(cells, widths, numeric) for cells in [head, *body])


def sheet(job: JobDetail) -> str:
    """All that is known of a job, with its tracebacks in full."""
    return "\n".join(_sheet(job))


def _sheet(job: JobDetail) -> Iterator[str]:
    facts = {
        name: value
        for name, value in msgspec.structs.asdict(job).items()
        if value is not None and name not in {"attempts", "timeline"}
    }
    widest = max(map(len, facts))
    for name, value in facts.items():
        text = value if isinstance(value, str) else _cell(value)
        yield f"{name.replace('_', ' '):{widest}}  {_printable(text)}"
    if job.attempts:
        yield "\n" + table(job.attempts, "attempt", "outcome", "started_at", "finished_at", "error")
    for attempt in job.attempts:
        if attempt.traceback:
            yield f"\ntraceback of attempt {attempt.attempt}"
            yield from map(_printable, attempt.traceback.splitlines())
    yield "\n" + table(job.timeline)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(padded).rstrip()


def _cell(value: Any) -> str:
    match value:
        case None | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.1f}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case dict():
            return _printable(msgspec.json.encode(value).decode())
        case list():
            return ", ".join(map(_cell, value))
        case RunningJob():
            return f"{value.kind} {value.id}"
        case str():
            return _cut(_printable(value))
    return str(value)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
