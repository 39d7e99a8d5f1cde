"""A ledger of what jobs did: one row per start and per effect.

Its tables have no keys, so a repeated start or effect shows up as a second row. An effect is
committed together with the job's `done`, so each job must have exactly one effect. A start is
written outside the job's transactions, so a job may have several starts.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from app.jobs import Run
from app.postgres.database import Database
from tests.support.owner import execute_as_owner

TABLES = """
create table if not exists starts (
    job_id uuid not null,
    attempt int not null,
    pid int not null,
    at timestamptz not null default clock_timestamp()
);
create table if not exists effects (
    job_id uuid not null,
    attempt int not null,
    at timestamptz not null default clock_timestamp()
);
"""


async def create_ledger(database: Database, owner: str | None = None) -> None:
    """Create the ledger's tables if they are missing.

    Args:
        owner: the owner's URL, if the database is not on the server that all tests use.
    """
    await execute_as_owner(database, TABLES, owner)


async def record_start(database: Database, run: Run) -> None:
    """Record that this process has started the attempt, by the process's own clock."""
    await database.execute(
        "insert into starts (job_id, attempt, pid, at) values ($1, $2, $3, $4)",
        run.job_id,
        run.attempt,
        os.getpid(),
        datetime.now(UTC),
    )


async def record_effect(run: Run) -> None:
    """Commit the job's only effect, together with its `done`."""
    async with run.completion() as tx:
        await tx.execute(
            "insert into effects (job_id, attempt) values ($1, $2)", run.job_id, run.attempt
        )


async def count_effects(database: Database) -> tuple[int, int]:
    """Count the jobs with an effect, and the repeated effects."""
    row = await database.fetchrow(
        "select count(distinct job_id) as jobs, count(*) - count(distinct job_id) as more"
        " from effects"
    )
    assert row is not None
    return row["jobs"], row["more"]
