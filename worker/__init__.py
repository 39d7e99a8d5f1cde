"""The worker: `arq worker.WorkerSettings`, made from the environment when it is asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from app.environment import SettingsError, environment_with_dotenv
from app.settings import Settings
from worker.handler import HANDLERS, Handlers
from worker.schedule import Clock, postgres_clock
from worker.settings import worker_settings


def settings_from_environment(
    *, clock: Clock | None = postgres_clock, handlers: Handlers = HANDLERS
) -> type:
    """The class that arq reads, made from the environment and `.env`.

    Args:
        clock: what time it is for the schedules; None: this worker fires none of them.
        handlers: what runs the jobs of each type.

    Raises:
        SystemExit: a setting is missing or wrong; stderr has the line that names it, the code is 2.
    """
    try:
        environ = environment_with_dotenv(os.environ, Path.cwd())
        return worker_settings(Settings.from_env(environ), clock=clock, handlers=handlers)
    except SettingsError as error:
        print(f"activelog: {error}", file=sys.stderr)  # noqa: T201 # the one line of a bad setting
        raise SystemExit(2) from None


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return settings_from_environment()
