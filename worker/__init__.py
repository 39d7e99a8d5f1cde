"""The worker: `arq worker.WorkerSettings`, made from the environment when it is asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from app.jobs.handlers import HANDLERS, Handlers, load_handlers
from app.settings import Settings
from app.settings.environment import (
    BAD_SETTINGS,
    SettingsError,
    complain,
    environment_with_dotenv,
)
from worker.cron import Clock, postgres_clock
from worker.settings import worker_settings

NO_WATCH = (
    "activelog: --watch is not supported, since arq would keep running the old code:"
    " use `just watch`, which starts a new process"
)


def settings_from_environment(
    *, clock: Clock | None = postgres_clock, replaced: Handlers = MappingProxyType({})
) -> type:
    """The class that arq reads, made from the environment and `.env`.

    Args:
        clock: what time it is for the schedules; None: this worker fires none of them.
        replaced: handlers in place of the registered ones.

    Raises:
        SystemExit: a setting is missing or wrong; stderr has the line that names it, the code is 2.
    """
    load_handlers()
    try:
        environ = environment_with_dotenv(os.environ, Path.cwd())
        settings, burst = Settings.from_env(environ), _burst()
        return worker_settings(
            settings, clock=clock, handlers={**HANDLERS, **replaced}, burst=burst
        )
    except SettingsError as error:
        complain(error)
        raise SystemExit(BAD_SETTINGS) from None


def _burst() -> bool:
    """Whether the `arq` command was called with --burst.

    Raises:
        SystemExit: it was called with --watch.
    """
    called = click.get_current_context(silent=True)
    if called and called.params.get("watch"):
        print(NO_WATCH, file=sys.stderr)  # noqa: T201 # its one line
        raise SystemExit(BAD_SETTINGS)
    return bool(called and called.params.get("burst"))


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return settings_from_environment()
