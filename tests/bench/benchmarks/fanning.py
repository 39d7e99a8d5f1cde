"""A fan-out to many users: by a worker, and by one enqueue per user."""

from __future__ import annotations

import asyncio
from datetime import date
from time import monotonic, monotonic_ns
from typing import NamedTuple

import psutil

from app import jobs
from app.jobs import JobId
from app.jobs.schedules import history, trigger
from app.jobs.schedules.schedule import ScheduleRun
from app.resources import Resources
from app.stats.emails import SendWeeklySummaryEmail
from app.stats.statements import count_day
from tests.bench.contenders.activelog import ActiveLog
from tests.bench.contenders.contender import Bench, Work
from tests.bench.workers import worker

SATURDAY = date(2026, 11, 14)
WARMUP_JOBS = 200
"""Jobs to run before memory is measured: they open connections and prepare statements."""
INTERVAL_S = 0.1
"""Seconds between critical jobs, and between measurements of the worker's memory."""

INSERT_USERS = """
insert into users (email, name, password_hash, confirmed_at)
    select 'user' || n || '@example.com', 'User ' || n, 'no hash', now()
    from generate_series(1, $1::int) as n
"""
INSERT_ACTIVITIES = """
insert into activities (user_id, type, started_at, duration_s, distance_m)
    select id, 'run', '2026-11-10 12:00+00'::timestamptz + interval '1 day' * n, 1800, 5000
    from users, generate_series(2, 4) as n
"""


class Fanout(NamedTuple):
    seconds: float
    """Seconds from the start of the fan-out's job to its end."""
    enqueued: int
    growth: float
    """The peak growth of the worker's memory in MiB, until all email jobs had run."""
    all_run: float
    """Seconds until all email jobs had run."""
    critical: list[float]
    """Milliseconds from commit to start for the critical jobs run meanwhile, sorted."""


class FanoutContender(ActiveLog):
    program = ("-m", "arq", "tests.bench.contenders.fanout_worker.WorkerSettings")

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self.database = resources.database

    async def create_users(self, users: int) -> None:
        await self.database.execute("truncate users, schedules, schedule_runs cascade")
        await self.database.execute(INSERT_USERS, users)
        await self.database.execute(INSERT_ACTIVITIES)
        await self.database.execute("analyze users, activities")

    async def enqueue_one_by_one(self, users: int) -> float:
        """Enqueue each user's job in its own transaction, and return the users per second."""
        await self.clear()
        rows = await self.database.fetch("select id from users order by id limit $1", users)
        began = monotonic()
        for row in rows:
            async with self.database.transaction() as tx:
                await jobs.enqueue(tx, SendWeeklySummaryEmail(row["id"], SATURDAY))
        return users / (monotonic() - began)

    async def count_day(self) -> float:
        """Compute the statistics for a day on which every user was active; return the seconds."""
        began = monotonic()
        async with self.database.transaction() as tx:
            await count_day(tx, day=SATURDAY)
        return monotonic() - began

    async def trigger_fan_out(self) -> JobId:
        async with self.database.transaction() as tx:
            return (await trigger(tx, "emails:weekly", by="bench", day=SATURDAY)).job_id

    async def find_run(self, job_id: JobId) -> ScheduleRun:
        run = await history.run_of_job(self.database, job_id)
        assert run is not None
        return run

    async def count_unfinished_email_jobs(self) -> int:
        return int(
            await self.database.fetchval(
                "select count(*) from jobs where kind = 'email:weekly_summary' and state <> 'done'"
            )
        )


async def measure_fan_out(bench: Bench, contender: FanoutContender) -> Fanout:
    """Run a fan-out on one worker, and a critical job every 100 ms until all email jobs have run.

    Raises:
        AssertionError: a user's email was enqueued twice or not at all.
    """
    await contender.clear()
    bench.stamps.clear()
    accepted: list[int] = []
    async with worker(bench, contender, 10) as process:
        await contender.enqueue([Work(number) for number in range(WARMUP_JOBS)])
        await bench.stamps.reach(WARMUP_JOBS)
        await asyncio.sleep(2)
        memory = psutil.Process(process.pid).memory_info
        before = peak = memory().rss
        began = monotonic()
        job_id = await contender.trigger_fan_out()
        while True:
            await contender.enqueue_one(Work(WARMUP_JOBS + len(accepted), queue="critical"))
            accepted.append(monotonic_ns())
            await asyncio.sleep(INTERVAL_S)
            peak = max(peak, memory().rss)
            run = await contender.find_run(job_id)
            if run.finished_at and not await contender.count_unfinished_email_jobs():
                break
        all_run = monotonic() - began
        await bench.stamps.reach(WARMUP_JOBS + len(accepted))
    run = await contender.find_run(job_id)
    emails = await contender.database.fetchval(
        "select count(distinct user_id) from jobs where kind = 'email:weekly_summary'"
    )
    assert run.state == "done"
    assert emails == run.counts["enqueued"] == run.counts["examined"]
    waits = sorted(
        max(0, stamp.at - accepted[stamp.number - WARMUP_JOBS]) / 1e6
        for stamp in bench.stamps.starts()
        if stamp.number >= WARMUP_JOBS
    )
    return Fanout(run.duration_s or 0, emails, (peak - before) / 2**20, all_run, waits)
