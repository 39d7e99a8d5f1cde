"""`python -m tests.chaos [--minutes 3] [--hour] [--failover] [--only WORDS]`; see --help."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic

import asyncpg
import structlog

from app import jobs
from app.jobs.admin import dead_letters
from app.jobs.admin.queues import pause_queue
from app.postgres.database import Database
from app.resources import open_resources
from app.settings import Settings
from tests.bench.environment import describe_machine
from tests.bench.table import Row, show
from tests.chaos import verdict
from tests.chaos.crew import WORKER, crew
from tests.chaos.faults import Faults
from tests.chaos.load import Feed, requests
from tests.chaos.servers import pairs_of_servers, single_servers
from tests.chaos.timeline import Timeline
from tests.chaos.verdict import BACKLOG_KIND
from tests.chaos.witness import connections_left, witness
from tests.chaos.work import Long, mix
from tests.support.ledger import create_ledger
from tests.support.many_users import add_users
from tests.support.processes import program

JOBS_PER_MINUTE = 2000
BACKLOG = 10_000
HOUR = {"minutes": 60.0, "backlog": 1_000_000, "redis_downtime": 60.0, "snapshot": True}
"""What `--hour` sets."""
FINISH_TIMEOUT_S = 300.0
"""How long the remaining jobs may take after the last fault."""
POLL_INTERVAL_S = 0.1
LONG_JOB_S = 110.0
"""Seconds that the long job takes: more than ten times as long as a lease lasts."""

DEAD_AFTER_CRASHES = """
select id from jobs where state = 'dead' and error = 'its worker was lost ten times'
"""
WAITING = """
select count(*) from jobs where state in ('queued', 'running', 'retrying', 'snoozed')
    and kind <> $1
"""
ADD_BACKLOG = """
insert into jobs (kind, queue, payload) select $1, 'low', '{}' from generate_series(1, $2)
"""


@dataclass(frozen=True, slots=True)
class Plan:
    minutes: float
    jobs_per_minute: int
    workers: int
    seed: int
    backlog: int
    redis_downtime: float
    snapshot: bool
    failover: bool
    long: bool
    only: Sequence[str]
    previous: Path | None

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def jobs(self) -> int:
        return round(self.minutes * self.jobs_per_minute)


def main() -> int:
    plans = _parse()
    errors_only = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=errors_only)  # enqueuing logs warnings while Redis is down
    seed, failed = plans[0].seed, False
    print(f"chaos: {describe_machine(('arq', 'asyncpg', 'redis'))}, seed {seed}", flush=True)
    for plan in plans:
        rows = asyncio.run(_run(plan))
        failed |= any(row.met is False for row in rows)
        failovers = ", failovers" if plan.failover else ""
        show(f"just chaos: {plan.minutes:g} min, {plan.workers} workers{failovers}", rows)
    print(
        "\nFAILED" if failed else "\nPASSED: nothing lost, nothing repeated, nothing left behind."
    )
    return int(failed)


def _parse() -> list[Plan]:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", allow_abbrev=False)
    parser.add_argument(
        "--minutes", type=float, default=3, help="minutes during which faults are injected"
    )
    parser.add_argument("--jobs-per-minute", type=int, default=JOBS_PER_MINUTE)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1000))
    parser.add_argument(
        "--backlog", type=int, default=BACKLOG, help="jobs that only wait, in a paused queue"
    )
    parser.add_argument(
        "--redis-downtime",
        type=float,
        default=15,
        help="seconds for which Redis is down, with its data kept",
    )
    parser.add_argument(
        "--snapshot", action="store_true", help="hold a snapshot of the database open"
    )
    parser.add_argument(
        "--hour",
        action="store_true",
        help=f"run for an hour, with a backlog of {HOUR['backlog']:,} jobs, a snapshot held open,"
        f" and Redis unavailable for {HOUR['redis_downtime']:.0f} s; then run with --failover",
    )
    parser.add_argument(
        "--failover",
        action="store_true",
        help="instead of other server faults, promote replicas of Postgres and Redis",
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[""],
        help="only the server faults whose names contain one of these words",
    )
    parser.add_argument(
        "--previous",
        type=lambda text: Path(text).resolve(),
        metavar="FOLDER",
        help="make every second worker run the previous release, checked out in FOLDER",
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help=f"afterwards, without faults, run a job of {LONG_JOB_S:.0f} s",
    )
    arguments = vars(parser.parse_args())
    plans = [arguments]
    if arguments.pop("hour"):
        plans = [{**arguments, **HOUR}, {**arguments, "failover": True}]
    return [Plan(**plan) for plan in plans]


async def _run(plan: Plan) -> list[Row]:
    _cancel_on_sigterm()
    rng = Random(plan.seed)  # noqa: S311 # not a secret; the same seed repeats the run
    timeline = Timeline()
    async with AsyncExitStack() as stack:
        opened_servers = pairs_of_servers() if plan.failover else single_servers()
        servers = await stack.enter_async_context(opened_servers)
        environ = servers.environ
        opened = open_resources(Settings.from_env(environ), process="activelog-chaos")
        resources = await stack.enter_async_context(opened)
        database = resources.database
        await create_ledger(database, servers.owner_url)
        await _add_backlog(database, servers.owner_url, plan.backlog)
        work = list(mix(rng, plan.jobs, await add_users(database, plan.jobs)))
        feed = Feed(database)
        async with AsyncExitStack() as running:
            spared = await running.enter_async_context(program(*WORKER, environ=environ))
            await spared.wait_for_output("worker.started")
            workers = await running.enter_async_context(crew(environ, plan.workers, plan.previous))
            asked = await running.enter_async_context(requests(environ, database))
            watched = [
                await running.enter_async_context(witness("spared worker", spared)),
                await running.enter_async_context(witness("API", asked.api)),
            ]
            faults = Faults(
                servers,
                resources,
                workers,
                timeline,
                rng,
                plan.seconds,
                plan.redis_downtime,
                plan.only,
            )
            began = monotonic()
            async with asyncio.TaskGroup() as group:
                holding = group.create_task(
                    _hold_snapshots(servers.owner_url) if plan.snapshot else asyncio.sleep(0)
                )
                await asyncio.gather(faults.run(), feed.run(work, plan.seconds))
                holding.cancel()
            retried = await _finish(database)
            took = monotonic() - began
            rows = await verdict.job_rows(resources, feed)
            rows += await verdict.email_rows(database, servers.sink)
            rows += await verdict.request_rows(database, asked)
            long = await _run_long(database) if plan.long else []
            rows += [row for found in watched for row in found.rows(plan.minutes)]
        rows += await verdict.crew_rows(
            database, workers, timeline, with_target=plan.previous is None
        )
        rows += [await verdict.redis_row(resources), await connections_left(database)]
        _write_output(
            {"workers": workers.outputs, "spared": [spared.output], "api": [asked.api.output]}
        )
    rows += [Row(name, "", str(count)) for name, count in faults.done.items()]
    rows.append(Row("dead letters after crashes, retried", "", str(retried)))
    return [*long, *rows, Row("time until all jobs were done", "", f"{took:.0f} s")]


def _cancel_on_sigterm() -> None:
    """Cancel the main task on SIGTERM, so that the servers and workers are stopped as well."""
    main = asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)


async def _add_backlog(database: Database, owner_url: str, count: int) -> None:
    """Add jobs that wait in the paused queue `low`, and that Redis holds like all others."""
    async with database.transaction() as tx:
        await pause_queue(tx, "low", by="chaos")
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute(ADD_BACKLOG, BACKLOG_KIND, count)
    finally:
        await owner.close()


async def _hold_snapshots(owner_url: str) -> None:
    """Hold a snapshot open until cancelled. If its connection is lost, open another."""
    while True:
        try:
            connection = await asyncpg.connect(owner_url)
            try:
                async with connection.transaction(isolation="repeatable_read"):
                    await connection.fetchval("select count(*) from workers")
                    while not connection.is_closed():  # noqa: ASYNC110 # no event to wait for
                        await asyncio.sleep(1)
            finally:
                await connection.close(timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            await asyncio.sleep(1)


async def _finish(database: Database) -> int:
    """Wait for all jobs to end, up to a limit, and retry dead letters caused by crashes.

    Returns:
        How many dead letters were retried.
    """
    deadline, retried = monotonic() + FINISH_TIMEOUT_S, 0
    while monotonic() < deadline:
        for row in await database.fetch(DEAD_AFTER_CRASHES):
            await dead_letters.retry_job(database, row["id"], by="chaos")
            retried += 1
        if not await database.fetchval(WAITING, BACKLOG_KIND):
            break
        await asyncio.sleep(POLL_INTERVAL_S)
    return retried


async def _run_long(database: Database) -> list[Row]:
    """Check that, without kills, a job that takes much longer than a lease starts only once."""
    async with database.transaction() as tx:
        job_id = await jobs.enqueue(tx, Long(LONG_JOB_S))
    await _finish(database)
    starts = await database.fetchval("select count(*) from starts where job_id = $1", job_id)
    return [Row(f"starts of a job of {LONG_JOB_S:.0f} s", "", str(starts), "1", starts == 1)]


def _write_output(outputs: Mapping[str, Sequence[str]]) -> None:
    """Write the processes' output to files for investigating failures."""
    folder = Path(tempfile.gettempdir()) / "activelog-chaos"
    folder.mkdir(exist_ok=True)
    for name, output in outputs.items():
        (folder / f"{name}.log").write_text("".join(output))


if __name__ == "__main__":
    sys.exit(main())
