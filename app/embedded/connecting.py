"""Running a program against the servers of a running `just up`, or those that `.env` names."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

from dotenv import dotenv_values
from redis import Redis, RedisError

from app.embedded.commands import complain
from app.embedded.console import say
from app.embedded.lock import is_locked
from app.embedded.ports import LOOPBACK, usual_or_free
from app.embedded.register import ROOT
from app.embedded.up import LOCK, VARIABLES
from app.embedded.wheels import postgres_folder
from app.settings.environment import Variables, environment_with_dotenv
from app.settings.sections import redis_url

Program = Literal["api", "worker", "app", "psql", "redis"]
Command: TypeAlias = tuple[list[str], dict[str, str]]
"""What to run, and the variables that it needs besides."""

OWN: Mapping[str, set[str]] = {"api": {"PORT", "APP_URL"}, "worker": {"METRICS_PORT"}}
"""Settings of a running `up` that a second process of the kind cannot have."""
CLIENT = "iredis==1.16.1"


def connect(home: Path, program: Program, arguments: Sequence[str]) -> int:
    """Replace this process by the program.

    Returns:
        The exit code, if there is nothing to connect to; of a Redis command, whether it succeeded.

    Raises:
        SettingsError: the URL of the server is missing or wrong.
    """
    variables = settings(home, environment_with_dotenv(os.environ, ROOT), OWN.get(program, set()))
    if not variables.get("DATABASE_URL"):
        return complain("nothing is running: `just up` starts it, or name your servers in .env")
    if program == "redis" and arguments:
        return redis_command(Variables(variables), arguments)
    command, added = COMMANDS[program](variables, arguments)
    try:
        os.execvpe(command[0], command, variables | added)  # noqa: S606 # no shell is wanted
    except FileNotFoundError:
        return complain(f"{command[0]} is not on the PATH")


def settings(home: Path, named: Mapping[str, str], own: Collection[str]) -> dict[str, str]:
    """The settings of a running `up`, unless another database is named; named ones come first.

    Args:
        own: settings that are not taken from the running `up`.
    """
    running: dict[str, str] = {}
    if is_locked(home / LOCK):
        running = {name: value or "" for name, value in dotenv_values(home / VARIABLES).items()}
    if named.get("DATABASE_URL") not in {None, "", running.get("DATABASE_URL")}:
        running = {}
    shared = {name: value for name, value in running.items() if name not in own}
    return {"ENVIRONMENT": "development", **shared, **{k: v for k, v in named.items() if v}}


def app(_: Mapping[str, str], arguments: Sequence[str]) -> Command:
    return [sys.executable, "-m", "app", *arguments], {}


def api(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """Unless a port is named, it gets a free one, beside an API that runs, and says which."""
    port = variables.get("PORT") or str(usual_or_free(8000))
    url = f"http://{variables.get('HOST', LOOPBACK)}:{port}"
    say(f"API: {url}")
    return [sys.executable, "-m", "app.asgi", *arguments], {
        "PORT": port,
        "APP_URL": variables.get("APP_URL", url),
    }


def worker(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    port = variables.get("METRICS_PORT") or str(usual_or_free(9100))
    if not {"--check", "--help"} & set(arguments):
        say(f"metrics: http://{variables.get('HOST', LOOPBACK)}:{port}/metrics")
    command = [sys.executable, "-m", "arq", "worker.WorkerSettings", *arguments]
    return command, {"METRICS_PORT": port}


def psql(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """The password travels in the environment: every user of the machine can list arguments."""
    url = urlsplit(Variables(variables).url("DATABASE_URL", {"postgresql", "postgres"}))
    program = shutil.which("psql") or str(postgres_folder() / "bin" / "psql")
    user, _, host = url.netloc.rpartition("@")
    name, _, password = user.partition(":")
    bare = url._replace(netloc=f"{name}@{host}" if name else host)
    command = [program, urlunsplit(bare), *arguments]
    return command, {"PGPASSWORD": unquote(password)} if password else {}


def redis(variables: Mapping[str, str], _: Sequence[str]) -> Command:
    """iredis, which uv downloads on first use: the wheel of Valkey has no client."""
    uv = os.environ.get("UV", "uv")
    return [uv, "tool", "run", "--quiet", CLIENT], {"IREDIS_URL": redis_url(Variables(variables))}


def redis_command(variables: Variables, arguments: Sequence[str]) -> int:
    """Give Redis one command and print its answer; the exit code."""
    url = redis_url(variables)
    try:
        with Redis.from_url(url, decode_responses=True, encoding_errors="replace") as client:
            client.response_callbacks.clear()  # answers as they are
            _print_answer(client.execute_command(*arguments))
    except RedisError as error:
        return complain(f"Redis: {error}")
    return 0


def _print_answer(answer: object) -> None:
    if isinstance(answer, list):
        for one in answer:
            _print_answer(one)
    else:
        print("(nil)" if answer is None else answer)


COMMANDS: Mapping[Program, Callable[[Mapping[str, str], Sequence[str]], Command]] = {
    "api": api,
    "worker": worker,
    "app": app,
    "psql": psql,
    "redis": redis,
}
