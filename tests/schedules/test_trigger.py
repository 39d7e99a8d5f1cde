"""`python -m worker.trigger`, as an operator uses it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.jobs.scheduling import SCHEDULES
from app.resources import Resources
from app.transaction import Database
from tests.kit.people import person
from tests.kit.processes import program
from tests.kit.working import until, working

Environ = Mapping[str, str]


@asynccontextmanager
async def alive(resources: Resources) -> AsyncIterator[None]:
    """A worker that the command line sees."""
    async with working(resources) as process:
        await until(lambda: process.intake.looked_at > 0)
        yield


async def trigger(environ: Environ, *arguments: str) -> tuple[int, str]:
    """Its exit code and what it said, the log aside."""
    async with program("-m", "worker.trigger", *arguments, environ=environ) as asked:
        code = await asked.ended()
    said = [line for line in asked.said.splitlines() if not line.startswith("{")]
    return code, "\n".join(said)


async def test_it_waits_and_says_what_was_done(
    database: Database, resources: Resources, environ: Environ
) -> None:
    async with alive(resources):
        code, said = await trigger(environ, "stats:daily", "--date", "2026-02-28")
    assert 0 == code
    counts = "users 0, recounted 0, activities 0"
    assert re.fullmatch(rf"stats:daily done for 2026-02-28 in \d+\.\d s: {counts}", said)
    by = await database.fetchval("select fired_by from schedule_runs")
    assert "cli" == by


async def test_a_dry_run_of_the_cleanup_says_what_it_would_remove(
    resources: Resources, environ: Environ
) -> None:
    async with alive(resources):
        code, said = await trigger(environ, "cleanup:daily", "--dry-run")
    assert 0 == code
    assert "workers 0, erasures 0, sessions 0" in said


async def test_without_waiting_it_prints_the_id(
    database: Database, resources: Resources, environ: Environ
) -> None:
    async with alive(resources):
        code, said = await trigger(environ, "emails:weekly", "--no-wait")
    assert 0 == code
    assert UUID(said) == await database.fetchval("select job_id from schedule_runs")


async def test_it_says_at_once_when_no_worker_is_alive(
    database: Database, environ: Environ
) -> None:
    code, said = await trigger(environ, "stats:daily")
    job_id = await database.fetchval("select id from jobs")
    assert (1, f"{job_id}\nactivelog: no worker is alive; the job runs when one is") == (code, said)


async def test_a_job_about_one_user_is_asked_for_by_its_fields(
    database: Database, resources: Resources, environ: Environ
) -> None:
    kim = await person(database, "kim")
    report = ("report:generate", "--user", "kim@example.com", "--month", "2026-10")
    code, said = await trigger(environ, *report, "--no-wait")
    assert 0 == code
    row = await database.fetchrow("select kind, concerns, payload->>'month' as month from jobs")
    assert row is not None
    assert ("report:generate", kim.id, "2026-10-01") == tuple(row)
    code, said = await trigger(environ, *report)
    assert (1, "activelog: Such a report:generate waits or runs already.") == (code, said)


async def test_an_unknown_name_lists_the_known_ones(database: Database, environ: Environ) -> None:
    code, said = await trigger(environ, "stats:dayly")
    assert 2 == code
    listed = said.split()
    assert {*SCHEDULES, "email:welcome", "report:generate"} <= set(listed)
    assert 0 == await database.fetchval("select count(*) from jobs")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stats:daily", "--date", "yesterday"), "is no day"),
        (("stats:daily", "--date", "2999-01-01"), "not over"),
        (("stats:daily", "--dry-run"), "cannot be run dry"),
        (("stats:daily", "--month", "2026-10"), "takes --date"),
        (("report:generate", "--user", "nobody@example.com", "--month", "2026-10"), "no account"),
        (("report:generate", "--month", "2026-10"), "takes --user, --month"),
        (("report:generate", "--user", str(UUID(int=7)), "--month", "x"), "takes --user, --month"),
        (("report:generate", "--user", str(UUID(int=7)), "--week", "1"), "takes --user, --month"),
        (("report:generate", "--user", str(UUID(int=7)), "--date", "2026-10-01"), "takes --user"),
        ((), "required: job"),
    ],
)
async def test_what_is_asked_for_badly_is_one_line_and_exit_code_2(
    database: Database, environ: Environ, arguments: tuple[str, ...], said: str
) -> None:
    code, line = await trigger(environ, *arguments)
    assert (2, 1) == (code, len(line.splitlines()))
    assert said in line


async def test_a_job_that_does_not_succeed_is_exit_code_1(
    database: Database, resources: Resources, environ: Environ
) -> None:
    await database.execute("alter table daily_stats rename to gone")
    try:
        async with alive(resources):
            code, said = await trigger(environ, "stats:daily")
    finally:
        await database.execute("alter table gone rename to daily_stats")
    assert 1 == code
    assert "stats:daily dead" in said
