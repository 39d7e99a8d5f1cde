"""Every tick is fired once, skipped with a reason, or dropped."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from app.jobs.schedules import fire_due, history
from app.postgres.database import Database
from app.postgres.statements import Queryable
from app.resources import Resources
from tests.support.moments import at
from tests.support.schedules import finish_jobs, fixed_clock, list_runs
from tests.support.working import RunJobs, eventually, running_worker, until
from worker.cron import fire, postgres_clock


async def test_ticks_before_the_schedules_were_registered_are_not_fired(
    since_tuesday: Database,
) -> None:
    assert 0 == await since_tuesday.fetchval("select count(*) from schedule_runs")


async def test_tick_is_fired_on_time_and_its_run_and_job_are_inserted(
    since_tuesday: Database,
) -> None:
    assert [] == await fire_due(since_tuesday, now=at("2026-11-24 12:29:59.999"))
    (job_id,) = await fire_due(since_tuesday, now=at("2026-11-24 12:30"))
    row = await since_tuesday.fetchrow(
        "select kind, queue, payload->>'day' as day, unique_key, tick, fired_by, r.state"
        " from jobs j join schedule_runs r on r.job_id = j.id where j.id = $1",
        job_id,
    )
    assert row is not None
    assert (
        "stats:recount",
        "low",
        "2026-11-23",
        "tick 2026-11-24T12:30:00+00:00",
        at("2026-11-24 12:30"),
        "schedule",
        "running",
    ) == tuple(row)


async def test_concurrent_workers_fire_a_tick_only_once(since_tuesday: Database) -> None:
    midnight = at("2026-11-25 00:00")
    await asyncio.gather(
        *(fire_due(since_tuesday, now=midnight + n * timedelta(seconds=1)) for n in range(8))
    )
    assert [("2026-11-24", "running")] == await list_runs(since_tuesday, "stats:daily")


async def test_tick_is_fired_only_once_even_if_the_clock_goes_back_thirty_seconds(
    since_tuesday: Database,
) -> None:
    for now in ("2026-11-25 00:00:30", "2026-11-25 00:00:00", "2026-11-25 00:01:00"):
        await fire_due(since_tuesday, now=at(now))
    assert [("2026-11-24", "running")] == await list_runs(since_tuesday, "stats:daily")


async def test_arq_cron_job_fires_the_ticks_due_according_to_the_worker_clock(
    since_tuesday: Database,
) -> None:
    await fire({"database": since_tuesday, "clock": fixed_clock("2026-11-25 00:00")})
    assert [("2026-11-24", "running")] == await list_runs(since_tuesday, "stats:daily")


async def test_postgres_clock_returns_the_time_of_postgres(database: Database) -> None:
    before = await database.fetchval("select clock_timestamp()")
    now = await postgres_clock(database)
    assert before <= now <= await database.fetchval("select clock_timestamp()")


async def test_each_missed_tick_of_daily_stats_gets_its_own_run(
    since_tuesday: Database, run_jobs: RunJobs
) -> None:
    await fire_due(since_tuesday, now=at("2026-11-27 07:00"))
    await run_jobs()
    assert [(f"2026-11-{day}", "done") for day in (24, 25, 26)] == await list_runs(
        since_tuesday, "stats:daily"
    )


async def test_missed_ticks_of_the_cleanup_are_caught_up_by_one_run(
    since_tuesday: Database,
) -> None:
    await fire_due(since_tuesday, now=at("2026-11-27 07:00"))
    assert [("2026-11-26", "running")] == await list_runs(since_tuesday, "cleanup:daily")


@pytest.mark.parametrize(
    ("name", "tick", "grace", "day"),
    [
        ("stats:daily", "2026-11-25 00:00", timedelta(days=7), "2026-11-24"),
        ("emails:weekly", "2026-11-29 09:00", timedelta(hours=12), "2026-11-28"),
        ("reports:monthly", "2026-12-01 00:00", timedelta(days=3), "2026-11-30"),
    ],
)
async def test_missed_tick_is_caught_up_only_within_its_grace_period(
    since_tuesday: Database, name: str, tick: str, grace: timedelta, day: str
) -> None:
    late = at(tick) + grace
    await fire_due(since_tuesday, now=late)
    assert (day, "running") in await list_runs(since_tuesday, name)
    await since_tuesday.execute("delete from schedule_runs; delete from jobs")
    await since_tuesday.execute(
        "update schedules set decided_until = $1", at(tick) - timedelta(seconds=1)
    )
    await fire_due(since_tuesday, now=late + timedelta(seconds=1))
    assert (day, "running") not in await list_runs(since_tuesday, name)


async def test_tick_is_skipped_while_an_earlier_run_is_unfinished(since_tuesday: Database) -> None:
    await fire_due(since_tuesday, now=at("2026-11-24 12:30"))
    (first,) = await since_tuesday.fetch("select job_id from schedule_runs")
    assert [] == await fire_due(since_tuesday, now=at("2026-11-24 13:30"))
    note = await since_tuesday.fetchval("select note from schedule_runs where state = 'skipped'")
    assert f"job {first['job_id']} of an earlier run had not finished" == note
    await finish_jobs(since_tuesday, "done")
    assert 1 == len(await fire_due(since_tuesday, now=at("2026-11-24 14:30")))


async def test_skipped_tick_of_daily_stats_is_fired_later(since_tuesday: Database) -> None:
    await fire_due(since_tuesday, now=at("2026-11-25 00:00"))
    await fire_due(since_tuesday, now=at("2026-11-26 00:00"))
    assert [("2026-11-24", "running"), ("2026-11-25", "skipped")] == await list_runs(
        since_tuesday, "stats:daily"
    )
    await finish_jobs(since_tuesday, "dead")
    await fire_due(since_tuesday, now=at("2026-11-26 00:01"))
    assert [("2026-11-24", "dead"), ("2026-11-25", "running")] == await list_runs(
        since_tuesday, "stats:daily"
    )


async def test_ticks_during_a_pause_are_neither_fired_nor_caught_up_later(
    since_tuesday: Database,
) -> None:
    async with since_tuesday.transaction() as tx:
        await history.pause_schedule(tx, "stats:daily", by="test", now=at("2026-11-24 13:00"))
    await fire_due(since_tuesday, now=at("2026-11-26 00:01"))
    async with since_tuesday.transaction() as tx:
        await history.resume_schedule(tx, "stats:daily", by="test", now=at("2026-11-26 12:00"))
    await fire_due(since_tuesday, now=at("2026-11-27 00:01"))
    assert [("2026-11-26", "running")] == await list_runs(since_tuesday, "stats:daily")


@pytest.mark.parametrize(
    ("end", "state"), [("done", "done"), ("dead", "dead"), ("cancelled", "cancelled")]
)
async def test_run_ends_in_the_state_of_its_job(
    since_tuesday: Database, end: str, state: str
) -> None:
    await fire_due(since_tuesday, now=at("2026-11-24 12:30"))
    await finish_jobs(since_tuesday, end)
    run = (await history.list_runs(since_tuesday, "stats:recount", None, 1))[0]
    assert (state, None if end == "done" else "why") == (run.state, run.error)
    assert run.duration_s == pytest.approx(2)


async def test_run_of_a_retried_dead_letter_is_running_again(since_tuesday: Database) -> None:
    await fire_due(since_tuesday, now=at("2026-11-24 12:30"))
    await finish_jobs(since_tuesday, "dead")
    await since_tuesday.execute(
        "update jobs set state = 'queued', finished_at = null, fingerprint = null"
    )
    (run,) = await history.list_runs(since_tuesday, "stats:recount", None, 9)
    assert ("running", None) == (run.state, run.finished_at)


async def test_dead_runs_are_counted_since_the_last_success(since_tuesday: Database) -> None:
    ends = ("dead", "done", "dead", "cancelled", "dead")
    for hour, state in zip(range(12, 17), ends, strict=True):
        await fire_due(since_tuesday, now=at(f"2026-11-24 {hour}:30"))
        await finish_jobs(since_tuesday, state)
    found = await history.find_schedule(since_tuesday, "stats:recount", now=at("2026-11-24 16:45"))
    assert (2, "dead", at("2026-11-24 17:30")) == (
        found.consecutive_failures,
        found.last_run and found.last_run.state,
        found.next_run_at,
    )
    assert found.last_success_at is not None


async def test_workers_starting_together_catch_up_missed_ticks_once(
    since_tuesday: Database, resources: Resources
) -> None:
    calls = 0

    async def friday(_: Queryable) -> datetime:
        nonlocal calls
        calls += 1
        return at("2026-11-27 07:00")

    async with running_worker(resources, clock=friday), running_worker(resources, clock=friday):
        await until(lambda: calls >= 4)  # both workers have fired the due ticks
        await eventually(
            lambda: list_runs(since_tuesday, "stats:daily"),
            [(f"2026-11-{day}", "done") for day in (24, 25, 26)],
        )
    expected = {"stats:daily": 3, "stats:recount": 1, "cleanup:daily": 1}
    ran = await since_tuesday.fetch("select schedule, count(*) from schedule_runs group by 1")
    assert expected.items() <= dict(map(tuple, ran)).items()
