"""Fan-outs: every matching user gets one job, whatever happens along the way."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import date, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from app.jobs import JobId, Run, statements
from app.jobs.outcomes import Snooze
from app.jobs.schedules import history
from app.jobs.schedules.fan_out import BATCH, FanOutBatch, Throttle, fan_out
from app.postgres.database import Database, Transaction
from app.reports.jobs import GenerateReport, fan_out_reports
from app.stats.emails import SendWeeklySummaryEmail, fan_out_emails
from app.stats.statements import enqueue_weekly_emails
from tests.support.fanning import BATCHES_BEFORE_DEATH, UNTHROTTLED
from tests.support.many_users import add_run, add_run_for_everyone, add_users
from tests.support.moments import at
from tests.support.outages import expire_lease
from tests.support.processes import program
from tests.support.schedules import trigger_run
from tests.support.working import eventually

SATURDAY = date(2026, 11, 21)
SELF_KILLING = ("-m", "arq", "tests.schedules.killed_worker.WorkerSettings")
WORKER = ("-m", "arq", "tests.support.fanout_worker.WorkerSettings")


async def claimed_run(database: Database, job_id: JobId) -> Run:
    """Requeue an unfinished job and claim it without a worker."""
    await database.execute(
        "update jobs set state = 'queued', token = null, worker_id = null where id = $1", job_id
    )
    (claimed,) = await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    return Run(database, claimed)


async def users_of_jobs(database: Database, kind: str) -> list[UUID]:
    """Return the users that the jobs of a kind are about, sorted."""
    rows = await database.fetch("select user_id from jobs where kind = $1", kind)
    return sorted(row["user_id"] for row in rows)


async def test_weekly_email_is_enqueued_only_for_active_confirmed_subscribed_unsuppressed_users(
    database: Database,
) -> None:
    users = await add_users(database, 8)
    first, last, early, late, unconfirmed, opted_out, deleted, bounced = users
    await add_run(database, first, at("2026-10-25 00:00"))
    await add_run(database, last, at("2026-11-21 23:59:59.9"))
    await add_run(database, early, at("2026-10-24 23:59:59.9"))
    await add_run(database, late, at("2026-11-22 00:00"))
    for user in (unconfirmed, opted_out, deleted, bounced):
        await add_run(database, user, at("2026-11-20 12:00"))
    await database.execute("update users set confirmed_at = null where id = $1", unconfirmed)
    await database.execute(
        "insert into subscriptions values ($1, 'weekly_summary', 'off')", opted_out
    )
    await database.execute("update users set deleted_at = now() where id = $1", deleted)
    await database.execute("update users set email = upper(email) where id = $1", bounced)
    await database.execute(
        "insert into suppressions select lower(email), 'no mailbox' from users where id = $1",
        bounced,
    )

    job_id = await trigger_run(database, "emails:weekly", str(SATURDAY))
    await fan_out_emails(await claimed_run(database, job_id), SATURDAY)

    assert [first, last] == await users_of_jobs(database, "email:weekly_summary")
    run = await history.run_of_job(database, job_id)
    assert run is not None
    assert {
        "examined": 7,
        "enqueued": 2,
        "already_enqueued": 0,
        "inactive": 2,
        "opted_out": 1,
        "unconfirmed": 1,
        "suppressed": 1,
    } == run.counts
    assert ("done", SATURDAY) == (run.state, run.day)


async def test_second_fan_out_counts_the_users_whose_job_is_unfinished(database: Database) -> None:
    (user,) = await add_users(database, 1)
    await add_run(database, user, at("2026-10-31 12:00"))
    for name, period, fan_out_jobs in (
        ("emails:weekly", "2026-10-31", fan_out_emails),
        ("reports:monthly", "2026-10-01", fan_out_reports),
    ):
        seen = []
        for _ in range(2):
            job_id = await trigger_run(database, name, period)
            await fan_out_jobs(await claimed_run(database, job_id), date.fromisoformat(period))
            run = await history.run_of_job(database, job_id)
            assert run is not None
            seen.append((run.counts["enqueued"], run.counts["already_enqueued"]))
        assert [(1, 0), (0, 1)] == seen


async def test_fan_out_inserts_the_same_jobs_as_enqueue_would(database: Database) -> None:
    (user,) = await add_users(database, 1)
    await add_run_for_everyone(database, at("2026-11-20 12:00"))
    emails = await trigger_run(database, "emails:weekly", str(SATURDAY))
    await fan_out_emails(await claimed_run(database, emails), SATURDAY)
    reports = await trigger_run(database, "reports:monthly", "2026-10-01")
    await add_run_for_everyone(database, at("2026-10-31 23:59"))
    await fan_out_reports(await claimed_run(database, reports), date(2026, 10, 1))
    for job_type, job in (
        (SendWeeklySummaryEmail, SendWeeklySummaryEmail(user_id=user, saturday=SATURDAY)),
        (GenerateReport, GenerateReport(user_id=user, month=date(2026, 10, 1))),
    ):
        row = await database.fetchrow(
            "select queue, payload::text, unique_key, user_id, expires_at - run_at as expires_in"
            " from jobs where kind = $1",
            job_type.kind,
        )
        assert row is not None
        assert job == msgspec.json.decode(row["payload"], type=job_type)
        assert (job.queue, job.unique_key, user, job.expires_in) == (
            row["queue"],
            row["unique_key"],
            row["user_id"],
            row["expires_in"],
        )


@pytest.mark.parametrize(
    ("moment", "month", "reports"),
    [
        ("2028-02-29 23:59", date(2028, 2, 1), 1),
        ("2028-03-01 00:00", date(2028, 2, 1), 0),
        ("2026-12-31 23:59", date(2026, 12, 1), 1),
        ("2027-01-01 00:00", date(2026, 12, 1), 0),
    ],
)
async def test_report_is_enqueued_for_exactly_the_users_active_in_its_month_subscribed_or_not(
    database: Database, moment: str, month: date, reports: int
) -> None:
    await add_users(database, 1)
    await add_run_for_everyone(database, at(moment))
    await database.execute(
        "insert into subscriptions select id, 'monthly_report', 'off' from users"
    )
    job_id = await trigger_run(database, "reports:monthly", "2026-10-01")
    await fan_out_reports(await claimed_run(database, job_id), month)
    assert reports == len(await users_of_jobs(database, "report:generate"))


async def test_interrupted_fan_out_continues_from_its_position(database: Database) -> None:
    users = await add_users(database, 3 * BATCH)
    await add_run_for_everyone(database, at("2026-11-20 12:00"))
    job_id = await trigger_run(database, "emails:weekly", str(SATURDAY))
    seen: list[UUID | None] = []

    async def enqueue(tx: Transaction, after: UUID | None, limit: int) -> FanOutBatch:
        seen.append(after)
        batch = await enqueue_weekly_emails(
            tx,
            kind="email:weekly_summary",
            queue="default",
            expires_in=None,
            saturday=SATURDAY,
            after=after,
            limit=limit,
        )
        if len(seen) in {2, 3}:
            raise ConnectionError
        return batch

    for _ in range(2):
        with pytest.raises(ConnectionError):
            await fan_out(
                await claimed_run(database, job_id), SendWeeklySummaryEmail, enqueue, UNTHROTTLED
            )
        # Finish every user's job, so that only the position records which users had one.
        await database.execute(
            "update jobs set state = 'done', finished_at = now() where id <> $1", job_id
        )
    await fan_out(await claimed_run(database, job_id), SendWeeklySummaryEmail, enqueue, UNTHROTTLED)

    first, second = users[BATCH - 1], users[2 * BATCH - 1]
    assert [None, first, first, first, second, users[-1]] == seen
    assert users == await users_of_jobs(database, "email:weekly_summary")


async def test_fan_out_snoozes_while_too_many_jobs_are_waiting(database: Database) -> None:
    users = await add_users(database, 2 * BATCH)
    await add_run_for_everyone(database, at("2026-11-20 12:00"))
    job_id = await trigger_run(database, "emails:weekly", str(SATURDAY))
    small = Throttle(max_waiting=10, delay=timedelta(seconds=1))
    for done in (BATCH, 2 * BATCH):
        with pytest.raises(Snooze):
            await fan_out_emails(await claimed_run(database, job_id), SATURDAY, throttle=small)
        assert users[:done] == await users_of_jobs(database, "email:weekly_summary")
        await database.execute(
            "update jobs set state = 'done', finished_at = now() where id <> $1", job_id
        )
    await fan_out_emails(await claimed_run(database, job_id), SATURDAY, throttle=small)
    run = await history.run_of_job(database, job_id)
    assert run is not None
    assert ("done", 2 * BATCH) == (run.state, run.counts["enqueued"])


async def test_every_user_gets_one_job_even_if_the_worker_is_killed_during_the_fan_out(
    database: Database, environ: Mapping[str, str]
) -> None:
    users = await add_users(database, 50_000)
    await add_run_for_everyone(database, at("2026-11-20 12:00"))
    job_id = await trigger_run(database, "emails:weekly", str(SATURDAY))

    async def state() -> object:
        return await database.fetchval("select state from jobs where id = $1", job_id)

    async with program(*SELF_KILLING, environ=environ) as first:
        assert -signal.SIGKILL == await first.ended()
    assert "running" == await state()
    saved = await database.fetchval(
        "select (position->>'enqueued')::int from jobs where id = $1", job_id
    )
    assert BATCHES_BEFORE_DEATH * BATCH == saved
    assert saved == await database.fetchval(
        "select count(*) from jobs where kind = 'email:weekly_summary'"
    )
    await expire_lease(database, first.process.pid)
    async with program(*WORKER, environ=environ):
        await eventually(state, "done")
    assert users == await users_of_jobs(database, "email:weekly_summary")
