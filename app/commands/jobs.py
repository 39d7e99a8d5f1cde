"""`python -m app jobs`: look at jobs, cancel them, run dead letters again."""

from __future__ import annotations

from typing import Any, get_args

from app.commands.parsing import BY, Answer, Arguments, add, group, job_id, limit
from app.errors import Invalid
from app.jobs.operating import dead_letters, inspection
from app.jobs.operating.cancelling import cancel
from app.jobs.operating.records import State
from app.jobs.queues import QUEUES
from app.resources import Resources
from app.users.administration import find_user

COLUMNS = ("id", "state", "kind", "queue", "attempt", "run_at", "finished_at", "error")


def declare(commands: Any) -> None:
    """Add `jobs` and its subcommands."""
    jobs = group(commands.add_parser("jobs", help="look at jobs, cancel and rerun them"))
    listing = add(jobs, "list", _list, "list jobs, newest first", COLUMNS)
    listing.add_argument("--state", choices=get_args(State))
    listing.add_argument("--kind")
    listing.add_argument("--queue", choices=QUEUES)
    listing.add_argument("--user", metavar="EMAIL_OR_ID", help="whom they are about")
    listing.add_argument("--limit", type=limit, default=50)
    for name, operation, purpose in (
        ("show", _show_job, "show a job with its attempts and errors"),
        ("retry", _retry_job, "run a dead job again"),
        ("cancel", _cancel_job, "cancel a job, also a running one"),
    ):
        add(jobs, name, operation, purpose).add_argument("id", metavar="ID", type=job_id)
    dead = add(jobs, "dead", _dead_letters, "list the dead letters by kind and error")
    act = dead.add_mutually_exclusive_group()
    act.add_argument("--retry", metavar="FINGERPRINT", help="run a group of them again")
    act.add_argument("--retry-all", action="store_true", help="run all of them again")
    act.add_argument("--discard", metavar="FINGERPRINT", help="cancel a group of them")
    dead.add_argument("--kind", help="with --retry-all: those of this kind")
    dead.add_argument("--limit", type=limit, default=50)


async def _list(resources: Resources, arguments: Arguments) -> Answer:
    database, user = resources.database, arguments.user
    wanted = inspection.Filter(
        arguments.state,
        arguments.kind,
        arguments.queue,
        await find_user(database, user) if user else None,
    )
    return await inspection.page(database, wanted, None, arguments.limit)


async def _show_job(resources: Resources, arguments: Arguments) -> Answer:
    return await inspection.find(resources.database, arguments.id)


async def _retry_job(resources: Resources, arguments: Arguments) -> Answer:
    await dead_letters.retry_job(resources.database, arguments.id, by=BY)
    return await inspection.find(resources.database, arguments.id)


async def _cancel_job(resources: Resources, arguments: Arguments) -> Answer:
    async with resources.database.transaction() as tx:
        await cancel(tx, arguments.id, by=BY)
        return await inspection.find(tx, arguments.id)


async def _dead_letters(resources: Resources, arguments: Arguments) -> Answer:
    database = resources.database
    if arguments.kind and not arguments.retry_all:
        raise Invalid("--kind belongs to --retry-all.")
    if arguments.retry_all:
        return await dead_letters.retry_all(database, arguments.kind, by=BY)
    if arguments.retry:
        return await dead_letters.retry_group(database, arguments.retry, by=BY)
    if arguments.discard:
        return await dead_letters.discard_group(database, arguments.discard, by=BY)
    return await dead_letters.page(database, dead_letters.Position(), arguments.limit)
