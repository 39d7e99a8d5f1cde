"""The command line: `python -m app migrate|create-admin|jobs|queues|kinds|workers`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from getpass import getpass
from pathlib import Path
from typing import Any, NoReturn, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

from app import logs
from app.environment import SettingsError, environment_with_dotenv
from app.errors import Failure, Invalid, NotFound, TooOld
from app.jobs.job import JobId
from app.jobs.operating import dead_letters, inspection, queues
from app.jobs.operating.cancelling import cancel
from app.jobs.operating.records import JobDetail, State
from app.jobs.operating.text import sheet, table
from app.jobs.operating.workers import list_workers
from app.jobs.queues import QUEUES
from app.postgres.migrations import MigrationFailed, migrate
from app.resources import Resources, open_resources
from app.settings import Settings
from app.users.administration import create_admin, find_user, make_admin
from app.users.passwords import Passwords
from app.users.user import Email, Password

Arguments = argparse.Namespace
Answer = Sequence[Struct] | Struct | str
Operation = Callable[[Resources, Arguments], Awaitable[Answer]]
Act = Callable[..., Awaitable[None]]

BY = "cli"
"""Who acts, in the log."""
JOB_COLUMNS = ("id", "state", "kind", "queue", "attempt", "run_at", "finished_at", "error")
MOST = 100_000
"""Rows that a list may be asked for."""


async def _migrate(settings: Settings, arguments: Arguments) -> None:
    said = await migrate(settings.database.url, "down" if arguments.down else "up")
    print(said or "nothing to migrate")


async def _operate(settings: Settings, arguments: Arguments) -> None:
    logs.configure(settings.logs)
    async with open_resources(settings, process="activelog-cli") as resources:
        answer = await arguments.operation(resources, arguments)
    if arguments.json:
        print(msgspec.json.encode(answer).decode())
    elif isinstance(answer, str):
        print(answer)
    elif isinstance(answer, JobDetail):
        print(sheet(answer))
    else:
        rows = [answer] if isinstance(answer, Struct) else answer
        print(table(rows, *arguments.columns))


async def _list_jobs(resources: Resources, arguments: Arguments) -> Answer:
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


async def _queues(resources: Resources, arguments: Arguments) -> Answer:
    async with resources.database.transaction() as tx:
        if arguments.act:
            await arguments.act(tx, arguments.name, by=BY)
        return await queues.list_queues(tx, resources.settings.worker.queue_weights)


async def _kinds(resources: Resources, arguments: Arguments) -> Answer:
    async with resources.database.transaction() as tx:
        if arguments.act:
            await arguments.act(tx, arguments.name, by=BY)
        return await queues.list_kinds(tx)


async def _workers(resources: Resources, _: Arguments) -> Answer:
    return await list_workers(resources.database)


async def _create_admin(resources: Resources, arguments: Arguments) -> Answer:
    email = _checked(arguments.email, Email)
    async with resources.database.transaction() as tx:
        if await make_admin(tx, email, by=BY):
            return "the account is an operator's now; its password is what it was"
    password = _checked(_ask_password(), Password)
    password_hash = await Passwords().hash(password)
    async with resources.database.transaction() as tx:
        await create_admin(tx, email, password_hash, by=BY)
    return "the operator can sign in now"


def _checked(text: str, kind: object) -> str:
    """
    Raises:
        Invalid: the text is none of that kind, with the kind's own description.
    """
    try:
        return str(msgspec.convert(text, kind))
    except msgspec.ValidationError:
        description = msgspec.json.schema(kind)["description"]
        raise Invalid(f"This is not {description[0].lower()}{description[1:]}") from None


def _ask_password() -> str:
    if sys.stdin.isatty():
        return getpass("Password of the new operator: ")
    return sys.stdin.readline().rstrip("\r\n")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"activelog: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m app", description="ActiveLog")
    commands = _group(parser)
    migrating = commands.add_parser("migrate", help="carry the schema up to date")
    migrating.add_argument("--down", action="store_true", help="take the last migration back")
    migrating.set_defaults(command=_migrate)
    admin = _add(commands, "create-admin", _create_admin, "make an account an operator's")
    admin.add_argument("email", metavar="EMAIL", help="an account's, or a new one's")
    _add(commands, "workers", _workers, "list the workers and what they run")
    _add_jobs(_group(commands.add_parser("jobs", help="look at jobs, cancel and rerun them")))
    _add_pausable(commands, "queues", _queues, queues.pause_queue, queues.resume_queue)
    _add_pausable(commands, "kinds", _kinds, queues.pause_kind, queues.resume_kind)
    return parser


def _add_jobs(group: Any) -> None:
    listing = _add(group, "list", _list_jobs, "list jobs, newest first")
    listing.add_argument("--state", choices=get_args(State))
    listing.add_argument("--kind")
    listing.add_argument("--queue", choices=QUEUES)
    listing.add_argument("--user", metavar="EMAIL_OR_ID", help="whom they are about")
    listing.add_argument("--limit", type=_limit, default=50)
    listing.set_defaults(columns=JOB_COLUMNS)
    for name, operation, purpose in (
        ("show", _show_job, "show a job with its attempts and errors"),
        ("retry", _retry_job, "run a dead job again"),
        ("cancel", _cancel_job, "cancel a job, also a running one"),
    ):
        _add(group, name, operation, purpose).add_argument("id", metavar="ID", type=_job_id)
    dead = _add(group, "dead", _dead_letters, "list the dead letters by kind and error")
    act = dead.add_mutually_exclusive_group()
    act.add_argument("--retry", metavar="FINGERPRINT", help="run a group of them again")
    act.add_argument("--retry-all", action="store_true", help="run all of them again")
    act.add_argument("--discard", metavar="FINGERPRINT", help="cancel a group of them")
    dead.add_argument("--kind", help="with --retry-all: those of this kind")
    dead.add_argument("--limit", type=_limit, default=50)


def _add_pausable(commands: Any, name: str, list_: Operation, pause: Act, resume: Act) -> None:
    group = _group(commands.add_parser(name, help=f"look at {name}, pause and resume them"))
    _add(group, "list", list_, f"list the {name}")
    for verb, act in (("pause", pause), ("resume", resume)):
        acting = _add(group, verb, list_, f"{verb} one of the {name}")
        acting.add_argument("name", metavar="NAME")
        acting.set_defaults(act=act)


def _group(parser: argparse.ArgumentParser) -> Any:
    return parser.add_subparsers(required=True, metavar="command")


def _add(group: Any, name: str, operation: Operation, purpose: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = group.add_parser(name, help=purpose, description=purpose)
    command.add_argument("--json", action="store_true", help="for scripts, with all fields")
    command.set_defaults(command=_operate, operation=operation, columns=(), act=None)
    return command


def _job_id(text: str) -> JobId:
    try:
        return JobId(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no job's id") from None


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")
    return int(text)


def main() -> int:
    """Run one command; 2 for bad input, 1 for a failure, each with one line on stderr."""
    arguments = _parser().parse_args()
    try:
        settings = Settings.from_env(environment_with_dotenv(os.environ, Path.cwd()))
        asyncio.run(arguments.command(settings, arguments))
    except (SettingsError, NotFound, Invalid) as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 2
    except (Failure, TooOld, MigrationFailed) as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
