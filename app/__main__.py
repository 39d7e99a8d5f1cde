"""The command line for operators. `python -m app` lists the commands."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from inspect import BoundArguments
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError

from app import logs
from app.commands import bucket, email, jobs, queues, trigger, users
from app.errors import Failure, Invalid, NotFound, TooOld
from app.postgres.migrations import MigrationFailed, migrate
from app.postgres.roles import ApplicationRole
from app.resources import open_resources
from app.settings import Settings
from app.settings.environment import (
    INVALID_SETTINGS_EXIT_CODE,
    SettingsError,
    environment_with_dotenv,
    report_error,
)
from app.settings.urls import postgres_servers

FAILED, BAD_INPUT = 1, INVALID_SETTINGS_EXIT_CODE
"""Exit codes."""

app = App(name="python -m app", help="Operate ActiveLog.", version_flags=[])
for commands in (jobs.app, queues.queues, queues.kinds, trigger.app, email.app, bucket.app):
    app.command(commands)
app.command(queues.workers)
app.command(users.create_admin)


@app.command(name="migrate")
async def migrate_(
    *,
    down: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    settings: Annotated[Settings, Parameter(parse=False)],
) -> str:
    """Apply pending migrations, and let the application's role read and write rows.

    Args:
        down: Revert the last migration instead.
    """
    database, command = settings.database, "down" if down else "up"
    if database.migrations_url is None:
        output = await migrate(database.url, command)
    else:
        server = postgres_servers(database.url, os.environ)
        role = ApplicationRole(server.username, server.password)
        output = await migrate(database.migrations_url, command, role=role)
    return output or "no pending migrations"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and print its result.

    Returns:
        The exit code that the command returned, or 0 if it returned text. 1 after a failure and 2
        for invalid input, both explained on stderr; 2 also if no command is given, and 130 if
        interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command, bound, unparsed = app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        report_error(_explain(error))
        return BAD_INPUT
    if not unparsed:  # it only prints the list of commands, or the help for one
        command(*bound.args, **bound.kwargs)
        return 0 if {"--help", "-h"} & set(words) else BAD_INPUT
    try:
        settings = Settings.from_env(environment_with_dotenv(os.environ, Path.cwd()))
        result = asyncio.run(_run(command, bound, settings, needs=set(unparsed)))
    except (SettingsError, NotFound, Invalid) as error:
        report_error(error)
        return BAD_INPUT
    except (Failure, TooOld, MigrationFailed) as error:
        report_error(error)
        return FAILED
    except KeyboardInterrupt:
        return 130
    if isinstance(result, int):
        return result
    print(result)
    return 0


async def _run(command: Any, bound: BoundArguments, settings: Settings, needs: set[str]) -> Any:
    """Run a command with the resources that it needs. Migrations need only the settings."""
    logs.configure(settings.logs)
    if "resources" not in needs:
        return await command(*bound.args, **bound.kwargs, settings=settings)
    async with open_resources(settings, process="activelog-cli") as resources:
        return await command(*bound.args, **bound.kwargs, resources=resources)


def _explain(error: CycloptsError) -> str:
    """Describe in one line what is wrong with the arguments."""
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        command = " ".join([*app.name, *(error.command_chain or ())])
        return f"{error.argument.name} is missing: see `{command} --help`"
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected arguments: {' '.join(error.unused_tokens or ())}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
