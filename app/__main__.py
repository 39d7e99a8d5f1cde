"""The command line: `python -m app migrate|create-admin`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.environment import SettingsError, environment_with_dotenv
from app.errors import Failure
from app.postgres.migrations import MigrationFailed, migrate
from app.postgres.pool import TooOld
from app.settings import Settings

Command = Callable[[Settings, argparse.Namespace], Awaitable[None]]


async def _migrate(settings: Settings, arguments: argparse.Namespace) -> None:
    said = await migrate(settings.database.url, "down" if arguments.down else "up")
    print(said or "nothing to migrate")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="ActiveLog")
    commands = parser.add_subparsers(required=True, metavar="command")
    migrating = commands.add_parser("migrate", help="carry the schema up to date")
    migrating.add_argument("--down", action="store_true", help="take the last migration back")
    migrating.set_defaults(command=_migrate)
    return parser


def main() -> int:
    """Run one command; 2 for bad input, 1 for a failure, each with one line on stderr."""
    arguments = _parser().parse_args()
    try:
        settings = Settings.from_env(environment_with_dotenv(os.environ, Path.cwd()))
        asyncio.run(arguments.command(settings, arguments))
    except SettingsError as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 2
    except (Failure, TooOld, MigrationFailed) as error:
        print(f"activelog: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
