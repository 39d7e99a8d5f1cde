"""The worker: `arq worker.WorkerSettings`, made from the environment when it is asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from app.environment import SettingsError, environment_with_dotenv
from app.settings import Settings
from worker.settings import worker_settings


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        environ = environment_with_dotenv(os.environ, Path.cwd())
        return worker_settings(Settings.from_env(environ))
    except SettingsError as error:
        print(f"activelog: {error}", file=sys.stderr)  # noqa: T201 # the one line of a bad setting
        raise SystemExit(2) from None
