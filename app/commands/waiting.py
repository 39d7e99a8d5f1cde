"""Wait for a job to finish, and describe its outcome in one line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from app.jobs import JobId, statements
from app.jobs.admin.jobs import find_job
from app.jobs.admin.rows import JobDetail
from app.jobs.schedules import history
from app.postgres.database import Database
from app.postgres.statements import Queryable

POLL_INTERVAL_S = 0.25
FINAL_STATES = {"done", "dead", "cancelled"}
CLEAR_LINE = "\r\x1b[K"
"""Codes that move the cursor to the beginning of the line and clear the line."""


async def wait_for_job(database: Database, job_id: JobId) -> int:
    """Wait until a job has finished, or cannot start because its queue or kind is paused.

    On a terminal, show the progress. Elsewhere, print a line when the job is retried or snoozed.

    Returns:
        The exit code: 0 when the job is done, otherwise 1.
    """
    terminal = sys.stderr.isatty()
    printed = None
    while (job := await find_job(database, job_id)).state not in FINAL_STATES:
        pause = await find_pause(database, queue=job.queue, kind=job.kind)
        if job.state != "running" and pause:
            _clear_line(terminal)
            print(
                f"{job.kind} {job.id}: enqueued, but {pause} is paused; resume it to start the job"
            )
            return 1
        line = await describe(database, job)
        if terminal:
            print(f"{CLEAR_LINE}{line[:100]}", end="", file=sys.stderr, flush=True)
        elif job.state in {"retrying", "snoozed"} and line != printed:
            print(printed := line, file=sys.stderr, flush=True)
        await asyncio.sleep(POLL_INTERVAL_S)
    _clear_line(terminal)
    print(await describe(database, job))
    return 0 if job.state == "done" else 1


async def find_pause(db: Queryable, *, queue: str, kind: str) -> str | None:
    """Return the paused queue or kind that keeps a job from starting; None if neither is paused."""
    paused = {(pause.what, pause.name) for pause in await statements.pauses(db)}
    for what, name in (("queue", queue), ("kind", kind)):
        if (what, name) in paused:
            return f"{what} {name}"
    return None


async def describe(database: Database, job: JobDetail) -> str:
    """Describe a job in one line: its state, what it did, and its error."""
    run = await history.run_of_job(database, job.id)
    summary = f"{job.kind} {job.state}"
    if run:
        summary += f" for {run.day}"
    started_at = run.started_at if run else job.started_at
    if started_at and job.finished_at:
        summary += f" in {(job.finished_at - started_at).total_seconds():.1f} s"
    counts = run.counts if run else job.progress or {}
    if export_id := job.payload.get("export_id"):
        summary += f", export {export_id}"
    if job.payload.get("dry_run"):
        summary += ", dry run"
        counts = _describe_dry_run(counts)
    if job.note:
        summary += f" (nothing to do: {job.note})"
    parts = [summary, _list_counts(counts), job.error if job.state != "done" else None]
    line = ": ".join(filter(None, parts))
    return "".join(character if character.isprintable() else " " for character in line)


def _describe_dry_run(counts: Mapping[str, int]) -> Mapping[str, object] | str:
    """Describe the counts from a fan-out's dry run as a phrase. Return other counts unchanged."""
    if "would_email" not in counts:
        return counts
    people, reports = counts["would_email"], counts.get("would_create")
    reports_part = "" if reports is None else f"would make {reports:,} reports and "
    skipped = {
        name: count
        for name, count in counts.items()
        if count and name not in {"would_email", "would_create", "examined"}
    }
    skipped_part = f"; would skip {_list_counts(skipped)}" if skipped else ""
    return f"{reports_part}would email {people:,} of {counts['examined']:,} people{skipped_part}"


def _list_counts(counts: Mapping[str, object] | str) -> str:
    if isinstance(counts, str):
        return counts
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())


def _clear_line(terminal: bool) -> None:
    if terminal:
        print(CLEAR_LINE, end="", file=sys.stderr, flush=True)
