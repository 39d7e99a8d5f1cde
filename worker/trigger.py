"""`python -m worker.trigger <job>`: run a schedule's job, or a job about one user, now.

It goes the same way as any other job: a row, Redis, a worker. Exits with 0 when the job is done (or
enqueued, with --no-wait), 1 when it is not, 2 when it was not asked for well.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

import msgspec

from app import jobs, logs
from app.environment import SettingsError, environment_with_dotenv
from app.errors import Conflict, Failure, Invalid, NotFound
from app.jobs import Job, JobId
from app.jobs.job import KINDS
from app.jobs.operating.inspection import find
from app.jobs.operating.records import JobDetail
from app.jobs.operating.workers import list_workers
from app.jobs.scheduling import SCHEDULES, history
from app.jobs.scheduling import trigger as trigger_schedule
from app.resources import open_resources
from app.settings import Settings
from app.transaction import Database, Transaction
from app.users.administration import find_user
from worker.settings import HANDLER_MODULES

__all__ = ["HANDLER_MODULES", "main"]  # the handlers' modules bring the kinds that one can ask for

BY = "cli"
LOOK = 0.25
ENDED = {"done", "dead", "cancelled"}
REWRITE = "\r\x1b[K"
"""To the beginning of the line, which is emptied."""


async def enqueue(tx: Transaction, arguments: argparse.Namespace, given: Sequence[str]) -> JobId:
    """
    Raises:
        NotFound: there is no such job, and which there are.
        Invalid: it cannot be asked for in this way.
        Conflict: it is about to be done anyway.
    """
    name = arguments.job
    if name in SCHEDULES:
        if given or arguments.user:
            raise Invalid(f"{name} takes --date, --dry-run and --no-wait.")
        began = await trigger_schedule(
            tx, name, by=BY, day=arguments.date, dry_run=arguments.dry_run
        )
        return began.job_id
    job_type = _about_a_user(name)
    if arguments.date or arguments.dry_run:
        raise Invalid(f"{name} takes {_options(job_type)} and --no-wait.")
    job_id = await jobs.enqueue(tx, await _job(tx, job_type, arguments.user, given))
    if job_id is None:
        raise Conflict(f"Such a {name} waits or runs already.")
    return job_id


def _about_a_user(name: str) -> type[Job]:
    known = {kind: job for kind, job in KINDS.items() if "user_id" in job.__struct_fields__}
    if name in known:
        return known[name]
    names = "\n".join(f"  {kind}" for kind in [*SCHEDULES, *sorted(known)])
    raise NotFound(f"there is no job {name!r} that can be triggered. There are:\n{names}")


async def _job(tx: Transaction, job_type: type[Job], user: str | None, given: Sequence[str]) -> Job:
    """The job that is asked for by `--field value` for each of its fields."""
    takes = Invalid(f"{job_type.kind} takes {_options(job_type)} and --no-wait.")
    names = [name.removeprefix("--").replace("-", "_") for name in given[::2]]
    if user is None or len(given) % 2 or not set(names) <= set(job_type.__struct_fields__):
        raise takes
    values = {name: _value(text) for name, text in zip(names, given[1::2], strict=True)}
    try:
        user_id = await find_user(tx, user)
        return msgspec.convert({**values, "user_id": str(user_id)}, job_type, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"{takes} ({error})") from None


def _value(text: str) -> str:
    """A month is named by its first day."""
    return f"{text}-01" if len(text) == len("2026-11") and text[4] == "-" else text


def _options(job_type: type[Job]) -> str:
    fields = [name for name in job_type.__struct_fields__ if name != "user_id"]
    return ", ".join(["--user", *(f"--{name.replace('_', '-')}" for name in fields)])


async def wait(database: Database, job_id: JobId) -> JobDetail:
    """Until the job has ended; on a terminal a line shows how it goes."""
    terminal = sys.stderr.isatty()
    while (job := await find(database, job_id)).state not in ENDED:
        if terminal:
            line = await described(database, job)
            print(f"{REWRITE}{line[:100]}", end="", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK)
    if terminal:
        print(REWRITE, end="", file=sys.stderr, flush=True)
    return job


async def described(database: Database, job: JobDetail) -> str:
    """One line: what became of the job so far, what it did, and what is wrong."""
    run = await history.run_of_job(database, job.id)
    figures: Mapping[str, object] = run.counts if run else job.progress or {}
    said = f"{job.kind} {job.state}"
    if run:
        said += f" for {run.day}"
    began = run.started_at if run else job.started_at
    if began and job.finished_at:
        said += f" in {(job.finished_at - began).total_seconds():.1f} s"
    counts = ", ".join(f"{name} {figure}" for name, figure in figures.items())
    line = ": ".join(filter(None, [said, counts, job.error if job.state != "done" else None]))
    return "".join(character if character.isprintable() else " " for character in line)


async def run(settings: Settings, arguments: argparse.Namespace, given: Sequence[str]) -> int:
    async with open_resources(settings, process="activelog-trigger") as resources:
        database = resources.database
        async with database.transaction() as tx:
            job_id = await enqueue(tx, arguments, given)
            alive = any(worker.alive for worker in await list_workers(tx))
        if arguments.no_wait or not alive:
            print(job_id)
        if not alive:
            print("activelog: no worker is alive; the job runs when one is", file=sys.stderr)
        if arguments.no_wait or not alive:
            return 0 if arguments.no_wait else 1
        job = await wait(database, job_id)
        print(await described(database, job))
        return 0 if job.state == "done" else 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"activelog: {message}\n")


def trigger_parser() -> _Parser:
    parser = _Parser(prog="just trigger", description="Run a job now.", allow_abbrev=False)
    parser.add_argument("job", help="such as stats:daily; an unknown name lists all")
    parser.add_argument(
        "--date", type=_day, help="a day of the period wanted; the last that is over"
    )
    parser.add_argument("--user", help="id or address, for a job about one user")
    parser.add_argument("--dry-run", action="store_true", help="only count what would be done")
    parser.add_argument("--no-wait", action="store_true", help="print the job's id and leave")
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-23") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked for; 2 for bad input, 1 for a failure, each with a line on stderr."""
    arguments, given = trigger_parser().parse_known_args(argv)
    try:
        settings = Settings.from_env(environment_with_dotenv(os.environ, Path.cwd()))
        logs.configure(settings.logs)
        return asyncio.run(run(settings, arguments, given))
    except (SettingsError, NotFound, Invalid) as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
