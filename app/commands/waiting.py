"""Waiting for a job to end, and printing the outcome in one line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from app.jobs import JobId, statements
from app.jobs.admin.jobs import find_job
from app.jobs.admin.rows import JobDetail
from app.jobs.schedules import history
from app.postgres.database import Database

LOOK_EVERY_S = 0.25
ENDED = {"done", "dead", "cancelled"}
EMPTY_LINE = "\r\x1b[K"
"""Moves to the beginning of a terminal's line and empties it."""


async def wait(database: Database, job_id: JobId) -> int:
    """Wait until a job has ended, or cannot start because an operator has paused it.

    A terminal shows how far it is; otherwise a line says why it has to wait.

    Returns:
        The exit code: 0 when the job is done, otherwise 1.
    """
    terminal = sys.stderr.isatty()
    said = None
    while (job := await find_job(database, job_id)).state not in ENDED:
        if job.state != "running" and (pause := await paused(database, job)):
            _clear(terminal)
            print(f"{job.kind} {job.id}: enqueued, but {pause} is paused; it starts when resumed")
            return 1
        line = await described(database, job)
        if terminal:
            print(f"{EMPTY_LINE}{line[:100]}", end="", file=sys.stderr, flush=True)
        elif job.state in {"retrying", "snoozed"} and line != said:
            print(said := line, file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_EVERY_S)
    _clear(terminal)
    print(await described(database, job))
    return 0 if job.state == "done" else 1


async def paused(database: Database, job: JobDetail) -> str | None:
    """The paused queue or kind that keeps the job from starting; None if neither is paused."""
    stopped = {(pause.what, pause.name) for pause in await statements.pauses(database)}
    for what, name in (("queue", job.queue), ("kind", job.kind)):
        if (what, name) in stopped:
            return f"{what} {name}"
    return None


async def described(database: Database, job: JobDetail) -> str:
    """One line: the state of the job, what it did, and what went wrong."""
    run = await history.run_of_job(database, job.id)
    said = f"{job.kind} {job.state}"
    if run:
        said += f" for {run.day}"
    began = run.started_at if run else job.started_at
    if began and job.finished_at:
        said += f" in {(job.finished_at - began).total_seconds():.1f} s"
    counts = run.counts if run else job.progress or {}
    if job.payload.get("dry_run"):
        said += ", dry run"
        counts = _would(counts)
    if job.note:
        said += f" (nothing to do: {job.note})"
    parts = [said, _listed(counts), job.error if job.state != "done" else None]
    line = ": ".join(filter(None, parts))
    return "".join(character if character.isprintable() else " " for character in line)


def _would(counts: Mapping[str, int]) -> Mapping[str, object] | str:
    """What the dry run of a fan-out has counted, in words; other counts as they are."""
    if "would_email" not in counts:
        return counts
    people, reports = counts["would_email"], counts.get("would_report")
    made = "" if reports is None else f"would make {reports:,} reports and "
    left_out = {
        name: count
        for name, count in counts.items()
        if count and name not in {"would_email", "would_report", "looked_at"}
    }
    skipped = f"; would skip {_listed(left_out)}" if left_out else ""
    return f"{made}would email {people:,} of {counts['looked_at']:,} people{skipped}"


def _listed(counts: Mapping[str, object] | str) -> str:
    if isinstance(counts, str):
        return counts
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())


def _clear(terminal: bool) -> None:
    if terminal:
        print(EMPTY_LINE, end="", file=sys.stderr, flush=True)
