"""The commands on a home folder: up, down, env, reset. Each returns its exit code."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from app.embedded.accounts import Nameless, refuse_nameless_user
from app.embedded.lock import AlreadyRunning, holder, is_locked, lock
from app.embedded.postgres import place_aside
from app.embedded.register import ROOT, end_leftovers
from app.embedded.up import LOCK, PROCESSES, VARIABLES, up
from app.settings.environment import environment_with_dotenv

LONGEST_STOP = 120.0


def start(home: Path) -> int:
    environ = environment_with_dotenv(os.environ, ROOT)
    try:
        if not environ.get("DATABASE_URL"):
            refuse_nameless_user(os.geteuid())
        return up(home, environ)
    except Nameless as error:
        return complain(str(error), code=2)
    except AlreadyRunning:
        return complain(f"it runs already, {_whereabouts(home)}: `just down` stops it")


def down(home: Path) -> int:
    """Ends when the lock is free, which is after the last process is gone."""
    process = holder(home / LOCK)
    if process is None:
        print("nothing is running")
        return 0
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + LONGEST_STOP
    while is_locked(home / LOCK):
        if time.monotonic() > deadline:
            return complain(
                f"process {process.pid} does not stop: kill it, and `just up` clears up"
            )
        time.sleep(0.05)
    print("stopped")
    return 0


def env(home: Path) -> int:
    file = home / VARIABLES
    if not is_locked(home / LOCK) or not file.exists():
        return complain("nothing is running: `just up` starts it")
    print(file.read_text(), end="")
    return 0


def reset(home: Path) -> int:
    """Everything that `up` ever made: the folder, and the cluster where it had to be elsewhere."""
    if code := down(home):
        return code
    if home.exists():
        with lock(home / LOCK):
            end_leftovers(home / PROCESSES)
            shutil.rmtree(place_aside(home), ignore_errors=True)
            shutil.rmtree(home)
    print("removed")
    return 0


def _whereabouts(home: Path) -> str:
    process = holder(home / LOCK)
    number = f"process {process.pid}" if process else "still starting"
    try:
        lines = (home / VARIABLES).read_text().splitlines()
    except OSError:
        return number
    return f"{number}, {dict(line.split('=', 1) for line in lines).get('APP_URL', '')}"


def not_permitted(error: PermissionError, home: Path) -> str:
    """What helps when the home folder, or a file in it, belongs to another user."""
    file = home / (error.filename or "")
    is_told_whole = Path(error.filename or "").is_absolute()  # not by shutil.rmtree
    if is_told_whole and _owner(file, home) in {None, os.geteuid()}:
        return f"{file}: {error.strerror}"
    return (
        f"{file} belongs to another user: run `just reset` as that user, or remove all of its data"
        f" with `sudo rm -rf {shlex.quote(str(home))} {place_aside(home)}`"
    )


def _owner(file: Path, home: Path) -> int | None:
    """Of the file or, where it cannot be seen, of the nearest folder above it; None outside."""
    for one in (file, *file.parents):
        with suppress(PermissionError, FileNotFoundError):
            if one.is_relative_to(home):
                return one.stat().st_uid
    return None


def complain(line: str, code: int = 1) -> int:
    print(line, file=sys.stderr)
    return code
