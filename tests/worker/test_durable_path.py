"""A job's path from the transaction that enqueues it to its end, on real servers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from datetime import timedelta
from typing import cast
from uuid import uuid4

import pytest

from app import dependency_health, jobs
from app.errors import Unavailable
from app.jobs.outcomes import Dead, LeaseLost, Retry, Snooze
from app.jobs.redis_queue import TAKERS_KEY, queue_key
from app.postgres.database import Database, Transaction
from app.resources import Resources
from tests.support.sample_jobs import (
    BEHAVIOURS,
    CALLS,
    LowSampleJob,
    SampleJob,
    ShortSampleJob,
    block,
    enqueue_job,
    job_row,
    run_to_completion,
)
from tests.support.working import RunJobs, eventually, running_worker, until
from worker.heartbeat import Heartbeat


async def test_committed_job_runs_once_and_is_done(database: Database, run_jobs: RunJobs) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await run_jobs()
    assert (
        CALLS["a"],
        *[(await job_row(database, job_id))[c] for c in ("state", "attempt")],
    ) == (1, "done", 1)


async def test_job_enqueued_in_a_rolled_back_transaction_does_not_exist(
    database: Database, resources: Resources
) -> None:
    async def enqueue_and_fail() -> None:
        async with database.transaction() as tx:
            await jobs.enqueue(tx, SampleJob("a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await enqueue_and_fail()
    await resources.dispatcher.flush()
    assert await database.fetchval("select count(*) from jobs") == 0
    assert await resources.redis.zcard(queue_key("default")) == 0


async def test_job_enqueued_in_a_rolled_back_savepoint_is_not_dispatched(
    database: Database, resources: Resources
) -> None:
    async def enqueue_and_fail(tx: Transaction) -> None:
        async with tx.savepoint():
            await jobs.enqueue(tx, SampleJob("lost"))
            raise RuntimeError

    async with database.transaction() as tx:
        kept = await jobs.enqueue(tx, SampleJob("kept"))
        with pytest.raises(RuntimeError):
            await enqueue_and_fail(tx)
    await resources.dispatcher.flush()
    assert [str(kept).encode()] == await resources.redis.zrange(queue_key("default"), 0, -1)


async def test_unique_key_allows_only_one_unfinished_job_at_a_time(
    database: Database, run_jobs: RunJobs
) -> None:
    await enqueue_job(database, SampleJob("a", key="a"))
    async with database.transaction() as tx:
        assert await jobs.enqueue(tx, SampleJob("a", key="a")) is None
    await run_jobs()
    await enqueue_job(database, SampleJob("a", key="a"))
    await run_jobs()
    assert CALLS["a"] == 2


async def test_redis_holds_ids_but_no_payloads(database: Database, resources: Resources) -> None:
    job_id = await enqueue_job(database, SampleJob("a secret"))
    await resources.dispatcher.flush()
    stored = await resources.redis.get(f"arq:job:{job_id}")
    assert str(job_id).encode() in stored
    assert b"a secret" not in stored


async def test_flushing_redis_loses_no_jobs(database: Database, resources: Resources) -> None:
    unblock = block("a")
    for _ in range(50):
        await enqueue_job(database, LowSampleJob("a"))
    await resources.dispatcher.flush()
    async with running_worker(resources):
        await until(lambda: CALLS["a"] > 0)
        assert await resources.redis.zcard(queue_key("low")) > 0
        await resources.redis.flushdb()
        unblock.set()
        await eventually(lambda: states(database), ["done"] * 50)


async def test_deferred_job_does_not_start_until_it_is_due(
    database: Database, resources: Resources
) -> None:
    async with database.transaction() as tx:
        due = await tx.fetchval("select clock_timestamp() + interval '1.5 seconds'")
        job_id = await jobs.enqueue(tx, SampleJob("a"), run_at=due)
    assert job_id is not None
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
    assert (await job_row(database, job_id))["started_at"] >= due


async def test_job_is_dead_after_three_failed_retries_and_a_nul_in_its_error_is_replaced(
    database: Database, resources: Resources
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("no\0pe")

    BEHAVIOURS["a"] = fail
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 4)
    ended = await job_row(database, job_id)
    assert (ended["state"], ended["attempt"], ended["failures"]) == ("dead", 4, 4)
    assert ended["error"] == "ValueError: no\N{REPLACEMENT CHARACTER}pe"
    attempts = await database.fetch("select outcome, traceback from job_attempts order by attempt")
    assert [a["outcome"] for a in attempts] == ["retried", "retried", "retried", "dead"]
    assert all("ValueError" in a["traceback"] for a in attempts)


@pytest.mark.parametrize(
    ("error", "state", "failures"),
    [
        (Dead("never"), "dead", 1),
        (Snooze("later", delay=timedelta(minutes=1)), "snoozed", 0),
        (Unavailable("down", dependency="smtp"), "snoozed", 0),
        (Retry("busy", delay=timedelta(minutes=1)), "retrying", 1),
        (OSError("refused"), "retrying", 1),
    ],
)
async def test_exception_from_a_handler_determines_the_state_and_failure_count_of_the_job(
    database: Database, resources: Resources, error: Exception, state: str, failures: int
) -> None:
    async def fail(*_: object) -> None:
        raise error

    BEHAVIOURS["a"] = fail
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
    ended = await job_row(database, job_id)
    assert (state, failures) == (ended["state"], ended["failures"])


async def test_job_that_times_out_is_retried_and_its_error_is_recorded(
    database: Database, resources: Resources
) -> None:
    block("a")
    job_id = await enqueue_job(database, ShortSampleJob("a"))
    async with running_worker(resources, grace=0):
        await until(lambda: CALLS["a"] == 2)
    assert (await job_row(database, job_id))["error"] == "timed out after 1 s"


async def test_completion_commits_the_effects_and_marks_the_job_as_done(
    database: Database, run_jobs: RunJobs
) -> None:
    async def write(run: jobs.Run, _: Resources) -> None:
        async with run.completion() as tx:
            await jobs.enqueue(tx, SampleJob("follows"))

    BEHAVIOURS["a"] = write
    job_id = await enqueue_job(database, SampleJob("a"))
    await run_jobs()
    assert (CALLS["follows"], (await job_row(database, job_id))["state"]) == (1, "done")


async def test_attempt_that_has_lost_its_job_commits_nothing(
    database: Database, resources: Resources
) -> None:
    lost: list[bool] = []

    async def lose(run: jobs.Run, _: Resources) -> None:
        await database.execute("update jobs set token = $1 where id = $2", uuid4(), run.job_id)
        try:
            async with run.transaction() as tx:
                await jobs.enqueue(tx, SampleJob("forged"))
        except LeaseLost:
            lost.append(True)
            raise

    BEHAVIOURS["a"] = lose
    await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: bool(lost))
    assert 1 == await database.fetchval("select count(*) from jobs")


async def test_job_of_a_lost_worker_is_reclaimed_and_its_crash_is_recorded(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    gone = uuid4()
    await database.execute(
        "insert into workers (id, host, pid, slots, seen_at)"
        " values ($1, 'gone', 1, 1, now() - interval '11 seconds')",
        gone,
    )
    await database.execute(
        "update jobs set state = 'running', attempt = 1, worker_id = $1, token = $1,"
        " started_at = now() where id = $2",
        gone,
        job_id,
    )
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
    ended = await job_row(database, job_id)
    assert tuple(ended[c] for c in ("state", "attempt", "failures", "crashes")) == ("done", 2, 0, 1)
    attempts = await database.fetch("select outcome from job_attempts order by attempt")
    assert ["crashed", "done"] == [attempt["outcome"] for attempt in attempts]


async def test_worker_releases_its_running_job_on_shutdown_without_counting_the_attempt(
    database: Database, resources: Resources
) -> None:
    block("a")
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources, grace=0.1):
        await until(lambda: CALLS["a"] == 1)
    ended = await job_row(database, job_id)
    assert tuple(ended[c] for c in ("state", "attempt", "failures")) == ("queued", 0, 0)
    assert await database.fetchval("select count(*) from workers") == 0


async def test_job_that_ends_within_the_shutdown_grace_period_is_done(
    database: Database, resources: Resources
) -> None:
    unblock = block("a")
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
        asyncio.get_running_loop().call_later(0.3, unblock.set)  # while the worker drains
    assert (await job_row(database, job_id))["state"] == "done"


async def test_workers_that_drain_in_the_middle_of_their_work_return_every_id(
    database: Database, resources: Resources
) -> None:
    async def take_a_moment(*_: object) -> None:
        await asyncio.sleep(0.01)

    BEHAVIOURS["a"] = take_a_moment
    async with database.transaction() as tx:
        await jobs.enqueue_all(tx, [SampleJob("a")] * 5_000)
    for drains in range(1, 9):
        async with running_worker(resources):
            await until(lambda: CALLS["a"] > 100 * drains)  # noqa: B023 # called at once
        waiting = await database.fetch("select id from jobs where state <> 'done'")
        in_redis = await resources.redis.zrange(queue_key("default"), 0, -1)
        assert waiting
        assert {str(job["id"]).encode() for job in waiting} <= set(in_redis)
        takers = cast("Awaitable[int]", resources.redis.scard(TAKERS_KEY))
        assert 0 == await takers


async def test_heartbeats_continue_during_the_drain_after_their_loop_has_failed(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, database = asyncio.get_running_loop(), resources.database
    drains: list[asyncio.Task[None]] = []
    send = Heartbeat.send

    async def fail_once(*_: object) -> None:
        monkeypatch.setattr(Heartbeat, "send", send)
        raise RuntimeError("a bug")

    unblock = block("a")
    async with running_worker(resources) as engine:
        job_id = await enqueue_job(database, SampleJob("a"))
        await until(lambda: CALLS["a"] == 1)
        loop.add_signal_handler(
            signal.SIGTERM, lambda: drains.append(asyncio.create_task(engine.drain()))
        )
        try:
            monkeypatch.setattr(Heartbeat, "send", fail_once)
            await until(lambda: bool(drains))
            before = await database.fetchval("select clock_timestamp()")
            later = "select seen_at - $1::timestamptz > interval '1 second' from workers"
            await eventually(lambda: database.fetchval(later, before), True)
            assert engine.failed
            unblock.set()
            await drains[0]
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
    assert (await job_row(database, job_id))["state"] == "done"


async def test_time_limit_of_something_that_a_job_calls_is_not_called_the_jobs_own(
    database: Database, run_jobs: RunJobs
) -> None:
    async def fail(*_: object) -> None:
        raise TimeoutError("the other side is slow")

    BEHAVIOURS["a"] = fail
    job_id = await enqueue_job(database, SampleJob("a"))
    await run_jobs(may_fail=True)
    assert "TimeoutError: the other side is slow" == (await job_row(database, job_id))["error"]


async def test_job_of_an_unknown_kind_is_snoozed_without_counting_the_attempt(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set kind = 'test:unknown'")
    async with running_worker(resources):
        await eventually(lambda: states(database), ["snoozed"])
    waiting = await job_row(database, job_id)
    assert (waiting["attempt"], waiting["error"]) == (
        0,
        "this worker has no handler for test:unknown",
    )
    assert CALLS["a"] == 0


async def test_running_job_is_cancelled_on_request(
    database: Database, resources: Resources
) -> None:
    block("a")
    job_id = await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
        await database.execute("update jobs set cancel_requested_at = now()")
        await eventually(lambda: states(database), ["cancelled"])
    assert (await job_row(database, job_id))["error"] == "cancelled on request"


async def test_cancelled_job_has_time_to_clean_up(database: Database, resources: Resources) -> None:
    cleaned_up = asyncio.Event()

    async def clean_up_slowly(*_: object) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(2.5)  # more than two heartbeats
            cleaned_up.set()

    BEHAVIOURS["a"] = clean_up_slowly
    await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 1)
        await database.execute("update jobs set cancel_requested_at = now()")
        await eventually(lambda: states(database), ["cancelled"])
    assert cleaned_up.is_set()


async def test_successful_attempt_is_recorded_unless_it_is_the_first(
    database: Database, resources: Resources
) -> None:
    async def fail_once(*_: object) -> None:
        if CALLS["a"] == 1:
            raise ValueError("at first")

    BEHAVIOURS["a"] = fail_once
    await enqueue_job(database, SampleJob("a"))
    await enqueue_job(database, SampleJob("b"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] == 2)
    attempts = await database.fetch("select attempt, outcome from job_attempts order by attempt")
    assert [(1, "retried"), (2, "done")] == [tuple(attempt) for attempt in attempts]


async def test_job_in_a_paused_queue_stays_in_redis_until_the_queue_is_resumed(
    database: Database, resources: Resources
) -> None:
    await database.execute("insert into pauses (what, name) values ('queue', 'low')")
    job_id = await enqueue_job(database, LowSampleJob("a"))
    await resources.dispatcher.flush()
    async with running_worker(resources):
        await run_to_completion(database, SampleJob("b"))
        await run_to_completion(database, SampleJob("c"))
        assert [str(job_id).encode()] == await resources.redis.zrange(queue_key("low"), 0, -1)
        await database.execute("delete from pauses")
        await until(lambda: CALLS["a"] == 1)


async def test_enqueue_all_skips_jobs_whose_unique_key_is_taken(
    database: Database, run_jobs: RunJobs
) -> None:
    await enqueue_job(database, SampleJob("a", key="taken"))
    async with database.transaction() as tx:
        many = (SampleJob("a", key="taken" if n % 2 else None) for n in range(2500))
        assert await jobs.enqueue_all(tx, many) == 1250
    await run_jobs()
    assert CALLS["a"] == 1251


async def test_outage_makes_jobs_wait_but_does_not_count_as_a_failure(
    database: Database, resources: Resources
) -> None:
    async def need_smtp(*_: object) -> None:
        if CALLS["a"] < 3:
            raise Unavailable("down", dependency="smtp")
        dependency_health.record_success("smtp")

    BEHAVIOURS["a"] = need_smtp
    for _ in range(20):
        await enqueue_job(database, SampleJob("a"))
    async with running_worker(resources):
        await until(lambda: CALLS["a"] >= 22)
    states = await database.fetch("select state, max(failures), count(*) from jobs group by state")
    assert [("done", 0, 20)] == [tuple(state) for state in states]


async def test_job_with_an_invalid_payload_becomes_a_dead_letter(
    database: Database, resources: Resources
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("""update jobs set payload = '{"name": 7}'""")
    async with running_worker(resources) as engine:
        await until(lambda: engine.claim_loop.last_pop_at > 0 and not engine.slots.running)
        await eventually(lambda: states(database), ["dead"])
    assert "ValidationError" in (await job_row(database, job_id))["error"]


async def states(database: Database) -> list[str]:
    return [row["state"] for row in await database.fetch("select state from jobs")]


async def test_payloads_from_older_and_newer_versions_are_read(
    database: Database, run_jobs: RunJobs
) -> None:
    await enqueue_job(database, SampleJob("older"))
    await enqueue_job(database, SampleJob("newer"))
    await database.execute(
        """update jobs set payload = case payload ->> 'name'
            when 'older' then payload - 'key' else payload || '{"unknown": "field"}' end"""
    )
    await run_jobs()
    assert (1, 1) == (CALLS["older"], CALLS["newer"])
