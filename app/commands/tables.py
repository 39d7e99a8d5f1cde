"""Results as text for a terminal: rows as aligned tables, a job as a list of its fields.

Control characters are replaced with spaces, because error messages may contain any text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from app.jobs.admin.rows import JobDetail, JobSummary, RunningJob

MAX_CELL_CHARACTERS = 72
"""Longer strings in a table are truncated; lists and objects are not."""
JOB_COLUMNS = ("id", "state", "kind", "queue", "attempt", "run_at", "finished_at", "error")
"""The columns in a list of jobs."""


def format_result(result: Sequence[Struct] | Struct) -> str:
    """Format rows as a table, and the details of a job as a list of its fields."""
    match result:
        case JobDetail():
            return format_job(result)
        case Struct():
            return format_table([result])
        case [JobSummary(), *_]:
            return format_table(result, *JOB_COLUMNS)
        case _:
            return format_table(result)


def format_table(rows: Sequence[Struct], *columns: str) -> str:
    """Format rows under column headings. Without `columns`, every field is a column."""
    if not rows:
        return "none"
    names = columns or rows[0].__struct_fields__
    body = [[_cell(getattr(row, name)) for name in names] for row in rows]
    head = [name.replace("_", " ") for name in names]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    numeric = [type(getattr(rows[0], name)) in {int, float} for name in names]
    return "\n".join(_line(cells, widths, numeric) for cells in [head, *body])


def format_job(job: JobDetail) -> str:
    """Format a job: its fields with values, its attempts with full tracebacks, and its timeline."""
    return "\n".join(_job_lines(job))


def _job_lines(job: JobDetail) -> Iterator[str]:
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(job).items()
        if value is not None and name not in {"attempts", "timeline"}
    }
    width = max(map(len, fields))
    for name, value in fields.items():
        text = value if isinstance(value, str) else _cell(value)
        yield f"{name.replace('_', ' '):{width}}  {_printable(text)}"
    if job.attempts:
        yield "\n" + format_table(
            job.attempts, "attempt", "outcome", "started_at", "finished_at", "error"
        )
    for attempt in job.attempts:
        if attempt.traceback:
            yield f"\ntraceback of attempt {attempt.attempt}"
            yield from map(_printable, attempt.traceback.splitlines())
    yield "\n" + format_table(job.timeline)


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
            return _truncate(_printable(value))
    return str(value)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_CELL_CHARACTERS else text[: MAX_CELL_CHARACTERS - 1] + "…"
