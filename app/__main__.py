"""The command line: `python -m app migrate|create-admin|jobs|queues|kinds|workers|email|bucket`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from app import logs
from app.commands import bucket, email, jobs, queues, users
from app.commands.parsing import Arguments, Parser, group
from app.environment import SettingsError, environment_with_dotenv
from app.errors import Failure, Invalid, NotFound, TooOld
from app.jobs.operating.records import JobDetail
from app.jobs.operating.text import sheet, table
from app.postgres.migrations import MigrationFailed, migrate
from app.resources import open_resources
from app.settings import Settings


def command_parser() -> Parser:
    parser = Parser(prog="python -m app", description="ActiveLog")
    commands = group(parser)
    migrating = commands.add_parser("migrate", help="carry the schema up to date")
    migrating.add_argument("--down", action="store_true", help="take the last migration back")
    migrating.set_defaults(operation=None)
    for noun in (users, jobs, queues, email, bucket):
        noun.declare(commands)
    return parser


async def _migrate(settings: Settings, arguments: Arguments) -> None:
    """Without the other resources: the schema is not there yet."""
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


def main() -> int:
    """Run one command; 2 for bad input, 1 for a failure, each with one line on stderr."""
    arguments = command_parser().parse_args()
    run = _operate if arguments.operation else _migrate
    try:
        settings = Settings.from_env(environment_with_dotenv(os.environ, Path.cwd()))
        asyncio.run(run(settings, arguments))
    except (SettingsError, NotFound, Invalid) as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 2
    except (Failure, TooOld, MigrationFailed) as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
