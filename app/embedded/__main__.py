"""`python -m app.embedded up|down|env|reset|connect`: the commands that the `just` recipes run."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from app.embedded.connect import Program, connect
from app.embedded.console import print_error
from app.embedded.home import (
    ENV_FILE,
    LOCK_FILE,
    REGISTRY_FILE,
    ROOT,
    AlreadyRunning,
    is_locked,
    lock,
    lock_holder,
)
from app.embedded.postgres import UnnamedUser, fallback_folder, require_named_user
from app.embedded.registry import stop_leftovers
from app.embedded.up import up
from app.embedded.wheels import CannotRunHere, check_can_run_here
from app.settings.environment import SettingsError, environment_with_dotenv

HOME = ROOT / ".activelog"

app = App(
    name="python -m app.embedded", help="Run ActiveLog with its own servers.", version_flags=[]
)
Home = Annotated[Path, Parameter(parse=False)]
"""Supplied by `main`, not parsed from the command line."""
STOP_TIMEOUT_S = 120.0
"""How long `down` waits for a running `up` to stop."""


@app.command(name="up")
def start(*, home: Home) -> int:
    """Start the servers, the API and the worker; stop with Ctrl-C."""
    environ = environment_with_dotenv(os.environ, ROOT)
    try:
        if not environ.get("DATABASE_URL"):
            require_named_user(os.geteuid())
        return up(home, environ)
    except UnnamedUser as error:
        return print_error(str(error), code=2)
    except AlreadyRunning:
        return print_error(f"already running ({_describe_running(home)}): stop it with `just down`")


@app.command
def down(*, home: Home) -> int:
    """Stop a running `up`."""
    process = lock_holder(home / LOCK_FILE)
    if process is None:
        print("nothing is running")
        return 0
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_locked(home / LOCK_FILE):  # `up` holds the lock until all its processes have exited
        if time.monotonic() > deadline:
            return print_error(
                f"process {process.pid} did not stop: kill it, and the next `just up` will clean up"
            )
        time.sleep(0.05)
    print("stopped")
    return 0


@app.command
def env(*, home: Home) -> int:
    """Print the settings of the running system for a shell to evaluate."""
    file = home / ENV_FILE
    if not is_locked(home / LOCK_FILE) or not file.exists():
        return print_error("nothing is running: run `just up` first")
    print(file.read_text(), end="")
    return 0


@app.command
def reset(*, home: Home) -> int:
    """Stop a running `up` and remove all of its data."""
    if code := down(home=home):
        return code
    if home.exists():
        with lock(home / LOCK_FILE):
            stop_leftovers(home / REGISTRY_FILE)
            shutil.rmtree(fallback_folder(home), ignore_errors=True)
            shutil.rmtree(home)
    print("removed all data")
    return 0


@app.command(name="connect")
def connect_(
    program: Program,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    home: Home,
) -> int:
    """Run a program against the running system or the servers named in .env.

    Args:
        program: The program to run.
        arguments: Arguments for the program.
    """
    return connect(home, program, arguments)


def main() -> int:
    """Run the command and return its exit code: 2 for invalid input or `CannotRunHere`."""
    try:
        command, bound, unparsed = app.parse_args(
            sys.argv[1:], exit_on_error=False, print_error=False
        )
        if not unparsed:  # the user asked for help or gave no command
            command(*bound.args, **bound.kwargs)
            return 0 if {"--help", "-h"} & set(sys.argv) else 2
        check_can_run_here()
        return int(command(*bound.args, **bound.kwargs, home=HOME))
    except (CycloptsError, SettingsError, CannotRunHere) as error:
        return print_error(str(error), code=2)
    except PermissionError as error:
        return print_error(describe_permission_error(error, HOME))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _describe_running(home: Path) -> str:
    """Describe the process that holds the lock, for a message: its id and APP_URL."""
    process = lock_holder(home / LOCK_FILE)
    running = f"process {process.pid}" if process else "still starting"
    try:
        lines = (home / ENV_FILE).read_text().splitlines()
    except OSError:
        return running
    return f"{running}, {dict(line.split('=', 1) for line in lines).get('APP_URL', '')}"


def describe_permission_error(error: PermissionError, home: Path) -> str:
    """Describe the error. If the file belongs to another user, say what to do about it."""
    file = home / (error.filename or "")
    is_absolute = Path(error.filename or "").is_absolute()  # shutil.rmtree reports bare file names
    if is_absolute and _owner(file, home) in {None, os.geteuid()}:
        return f"{file}: {error.strerror}"
    return (
        f"{file} belongs to another user: run `just reset` as that user, or remove all data"
        f" with `sudo rm -rf {shlex.quote(str(home))} {fallback_folder(home)}`"
    )


def _owner(file: Path, home: Path) -> int | None:
    """Return the owner of the file or its nearest visible parent; None outside the home folder."""
    for path in (file, *file.parents):
        with suppress(PermissionError, FileNotFoundError):
            if path.is_relative_to(home):
                return path.stat().st_uid
    return None


if __name__ == "__main__":
    sys.exit(main())
