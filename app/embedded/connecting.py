"""Running a program against the servers of a running `just up`, or those that `.env` names."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

from dotenv import dotenv_values

from app.embedded.commands import complain
from app.embedded.console import say
from app.embedded.lock import is_locked
from app.embedded.ports import usual_or_free
from app.embedded.register import ROOT
from app.embedded.up import LOCK, VARIABLES
from app.embedded.wheels import postgres_folder
from app.environment import environment_with_dotenv

Program = Literal["api", "worker", "app", "psql", "redis"]
Command: TypeAlias = tuple[list[str], dict[str, str]]
"""What to run, and the variables that it needs besides."""


def connect(home: Path, program: Program, arguments: Sequence[str]) -> int:
    """Replace this process by the program.

    Returns:
        The exit code, if there is nothing to connect to.
    """
    variables = environment_with_dotenv(os.environ, ROOT)
    if not variables.get("DATABASE_URL"):
        variables |= running(home)
    if not variables.get("DATABASE_URL"):
        return complain("nothing is running: `just up` starts it, or name your servers in .env")
    command, added = COMMANDS[program](variables, arguments)
    os.execvpe(command[0], command, variables | added)  # noqa: S606 # no shell is wanted
    raise AssertionError("exec returned")


def running(home: Path) -> dict[str, str]:
    """The settings of a running `up`; none when nothing runs."""
    if not is_locked(home / LOCK):
        return {}
    return {name: value or "" for name, value in dotenv_values(home / VARIABLES).items()}


def app(_: Mapping[str, str], arguments: Sequence[str]) -> Command:
    return [sys.executable, "-m", "app", *arguments], {}


def api(_: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """Beside an API that runs, it gets a port of its own, and says which."""
    port = free_port("PORT", 8000)
    say(f"API: http://127.0.0.1:{port}")
    own = {"PORT": port, "APP_URL": f"http://127.0.0.1:{port}"}
    return [sys.executable, "-m", "app.asgi", *arguments], own


def worker(_: Mapping[str, str], arguments: Sequence[str]) -> Command:
    port = free_port("METRICS_PORT", 9100)
    say(f"metrics: http://127.0.0.1:{port}/metrics")
    command = [sys.executable, "-m", "arq", "worker.WorkerSettings", *arguments]
    return command, {"METRICS_PORT": port}


def psql(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """The password travels in the environment: every user of the machine can list arguments."""
    url = urlsplit(variables["DATABASE_URL"])
    program = shutil.which("psql") or str(postgres_folder() / "bin" / "psql")
    user, _, host = url.netloc.rpartition("@")
    name, _, password = user.partition(":")
    bare = url._replace(netloc=f"{name}@{host}" if name else host)
    command = [program, urlunsplit(bare), *arguments]
    return command, {"PGPASSWORD": unquote(password)} if password else {}


def redis(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """iredis, which uv fetches when it is first asked for: the servers' wheels have no client.

    It takes a command from its arguments only on a terminal, and from standard input anywhere.
    """
    if arguments:
        reading, writing = os.pipe()
        os.write(writing, shlex.join(arguments).encode())
        os.close(writing)
        os.dup2(reading, sys.stdin.fileno())
    uv = os.environ.get("UV", "uv")
    return [uv, "tool", "run", "--quiet", "iredis"], {"IREDIS_URL": variables["REDIS_URL"]}


def free_port(name: str, usual: int) -> str:
    """The port that the environment names, or else a free one."""
    return os.environ.get(name) or str(usual_or_free(usual))


COMMANDS: Mapping[Program, Callable[[Mapping[str, str], Sequence[str]], Command]] = {
    "api": api,
    "worker": worker,
    "app": app,
    "psql": psql,
    "redis": redis,
}
