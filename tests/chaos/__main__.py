"""`python -m tests.chaos [--minutes 1] [--jobs N] [--workers 3] [--seed N] [--long]`."""

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
from math import ceil
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic

import structlog

from app import jobs
from app.jobs import Job
from app.jobs.admin import dead_letters
from app.postgres.database import Database
from app.resources import open_resources
from app.settings import Settings
from tests.bench.environment import describe_machine, environment
from tests.bench.table import Row, show
from tests.chaos.crew import crew
from tests.chaos.faults import Faults
from tests.chaos.verdict import compute_figures
from tests.chaos.witness import connections_left, witness
from tests.chaos.work import Long, mix
from tests.support.ledger import create_ledger
from tests.support.outages import own_valkey

JOBS_PER_MINUTE = 2000
FINISH_TIMEOUT_S = 180.0
"""How long the remaining jobs may take after the last fault."""
POLL_INTERVAL_S = 0.1
LONG_JOB_S = 110.0
"""Seconds that the long job takes: more than ten times as long as a lease lasts."""

DEAD_AFTER_CRASHES = """
select id from jobs where state = 'dead' and error = 'its worker was lost ten times'
"""
WAITING = "select count(*) from jobs where state not in ('done', 'dead', 'cancelled')"


@dataclass(frozen=True, slots=True)
class Plan:
    minutes: float
    jobs: int
    workers: int
    seed: int
    long: bool

    @property
    def seconds(self) -> float:
        return self.minutes * 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument(
        "--minutes", type=float, default=1, help="minutes during which faults are injected"
    )
    parser.add_argument("--jobs", type=int, help=f"default: {JOBS_PER_MINUTE} per minute")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1000))
    parser.add_argument(
        "--long",
        action="store_true",
        help=f"afterwards, without faults, run a job of {LONG_JOB_S:.0f} s",
    )
    arguments = parser.parse_args()
    arguments.jobs = arguments.jobs or round(JOBS_PER_MINUTE * arguments.minutes)
    plan = Plan(**vars(arguments))
    errors_only = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=errors_only)  # enqueuing logs warnings while Redis is down
    print(f"chaos: {describe_machine(('arq', 'asyncpg', 'redis'))}, seed {plan.seed}", flush=True)
    rows = asyncio.run(_run(plan))
    show(f"just chaos: {plan.minutes:g} min, {plan.workers} workers", rows)
    failed = any(row.met is False for row in rows)
    print(
        "\nFAILED" if failed else "\nPASSED: nothing lost, nothing repeated, nothing left behind."
    )
    return int(failed)


async def _run(plan: Plan) -> list[Row]:
    _cancel_on_sigterm()
    rng = Random(plan.seed)  # noqa: S311 # not a secret; the same seed repeats the run
    work = list(mix(rng, plan.jobs))
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(environment({"DATABASE_URL"}))
        valkey = await stack.enter_async_context(own_valkey())
        await valkey.start()
        environ = {**servers.environ, **valkey.settings()}
        opened = open_resources(Settings.from_env(environ), process="activelog-chaos")
        resources = await stack.enter_async_context(opened)
        await create_ledger(resources.database, environ["DATABASE_URL"])
        async with (
            crew(environ, plan.workers) as workers,
            witness(environ, resources.database) as spared,
        ):
            faults = Faults(resources, valkey, workers, rng, plan.seconds)
            began = monotonic()
            async with asyncio.TaskGroup() as group:
                group.create_task(faults.run())
                group.create_task(_feed(resources.database, work, plan.seconds))
            retried = await _finish(resources.database)
            enqueued, long = plan.jobs, []
            if plan.long:
                long = await _run_long(resources.database)
                enqueued += 1
            took = monotonic() - began
            spared_rows = spared.rows(plan.minutes)
        rows = await compute_figures(resources.database, workers, enqueued)
        rows += [*spared_rows, await connections_left(resources.database)]
        _write_output({"workers": workers.outputs, "spared": [spared.worker.output]})
    rows += [Row(name, "", str(count)) for name, count in faults.done.items()]
    rows.append(Row("dead letters after crashes, retried", "", str(retried)))
    return [*long, *rows, Row("time until all jobs were done", "", f"{took:.0f} s")]


def _cancel_on_sigterm() -> None:
    """Cancel the main task on SIGTERM, so that the servers and workers are stopped as well."""
    main = asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)


async def _feed(database: Database, work: Sequence[Job], seconds: float) -> None:
    """Enqueue the jobs evenly over `seconds`."""
    began, enqueued = monotonic(), 0
    while enqueued < len(work):
        due = min(len(work), ceil((monotonic() - began) / seconds * len(work)))
        async with database.transaction() as tx:
            for job in work[enqueued:due]:
                await jobs.enqueue(tx, job)
        enqueued = due
        await asyncio.sleep(POLL_INTERVAL_S)


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
        if not await database.fetchval(WAITING):
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
