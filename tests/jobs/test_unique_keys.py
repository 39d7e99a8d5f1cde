"""A unique key never blocks a new job after the old one has expired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from app import jobs
from app.jobs import JobId
from app.jobs.enqueue import enqueue_all
from app.postgres.database import Database
from app.reports.jobs import GenerateReport, fan_out_reports
from app.stats.emails import SendWeeklySummaryEmail, fan_out_emails
from tests.schedules.test_fan_out import claimed_run
from tests.support.many_users import add_run, add_users
from tests.support.moments import at
from tests.support.schedules import trigger_run


class Expiring(jobs.Job, frozen=True):
    """A job that is useful for a day."""

    kind = "test:expiring"
    expires_in = timedelta(days=1)

    key: str

    @property
    def unique_key(self) -> str:
        return self.key


class Lasting(jobs.Job, frozen=True):
    """A job that never expires."""

    kind = "test:lasting"
    unique_key = "only"


async def enqueue(database: Database, job: jobs.Job) -> JobId | None:
    async with database.transaction() as tx:
        return await jobs.enqueue(tx, job)


async def enqueue_many(database: Database, jobs_to_insert: Sequence[jobs.Job]) -> int:
    async with database.transaction() as tx:
        return await enqueue_all(tx, jobs_to_insert)


async def pass_days(database: Database, days: int) -> None:
    """Move the jobs' times into the past."""
    await database.execute(
        "update jobs set run_at = run_at - make_interval(days => $1),"
        " expires_at = expires_at - make_interval(days => $1)",
        days,
    )


async def hours_left(database: Database) -> list[int | None]:
    """Return in how many hours each job expires, rounded, oldest job first."""
    return [
        row["hours"]
        for row in await database.fetch(
            "select round(extract(epoch from expires_at - now()) / 3600)::int as hours"
            " from jobs order by id"
        )
    ]


async def test_enqueuing_again_extends_the_waiting_job(database: Database) -> None:
    assert await enqueue(database, Expiring("a")) is not None
    for days in (0, 1, 2):
        await pass_days(database, days)
        assert await enqueue(database, Expiring("a")) is None
        assert [24] == await hours_left(database)


async def test_enqueuing_many_again_extends_those_that_wait(database: Database) -> None:
    assert 2 == await enqueue_many(database, [Expiring("a"), Expiring("b")])
    await pass_days(database, 2)
    assert 1 == await enqueue_many(database, [Expiring("a"), Expiring("c"), Expiring("a")])
    assert [24, -24, 24] == await hours_left(database)


async def test_a_burst_does_not_update_the_row_each_time(database: Database) -> None:
    await enqueue(database, Expiring("a"))
    before = await database.fetchval("select ctid::text from jobs")
    assert await enqueue(database, Expiring("a")) is None
    assert 0 == await enqueue_many(database, [Expiring("a")])
    assert before == await database.fetchval("select ctid::text from jobs")


async def test_a_job_that_never_expires_extends_one_that_does(database: Database) -> None:
    """The kind had `expires_in` in an earlier release."""
    for again in (
        lambda: enqueue(database, Lasting()),
        lambda: enqueue_many(database, [Lasting()]),
    ):
        await enqueue(database, Lasting())
        assert [None] == await hours_left(database)
        await database.execute("update jobs set expires_at = now()")
        assert not await again()
        assert [None] == await hours_left(database)


async def test_second_fan_out_extends_the_jobs_that_wait(database: Database) -> None:
    (user,) = await add_users(database, 1)
    await add_run(database, user, at("2026-10-31 12:00"))
    for days in (0, 30):
        await pass_days(database, days)
        for name, period, fan_out in (
            ("emails:weekly", date(2026, 10, 31), fan_out_emails),
            ("reports:monthly", date(2026, 10, 1), fan_out_reports),
        ):
            job_id = await trigger_run(database, name, str(period))
            await fan_out(await claimed_run(database, job_id), period)
    rows = await database.fetch(
        "select kind, expires_at > now() as useful from jobs where kind = any($1) order by kind",
        [GenerateReport.kind, SendWeeklySummaryEmail.kind],
    )
    assert [
        (SendWeeklySummaryEmail.kind, True),
        (GenerateReport.kind, True),
    ] == [tuple(row) for row in rows]
