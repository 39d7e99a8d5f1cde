"""Connect a program to the servers of a running `just up`, or to those named in `.env`."""

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

from app.embedded.console import print_error, say
from app.embedded.home import ENV_FILE, LOCK_FILE, ROOT, is_locked
from app.embedded.ports import LOOPBACK, default_or_free_port
from app.embedded.wheels import postgres_folder
from app.settings import Database
from app.settings import Redis as RedisSettings
from app.settings.environment import environment_with_dotenv, read

Program = Literal["api", "worker", "app", "psql", "redis"]
Command: TypeAlias = tuple[list[str], dict[str, str]]
"""A command line and additional environment variables."""

OWNER = "MIGRATIONS_DATABASE_URL"
OWN_VARIABLES: Mapping[str, set[str]] = {
    "api": {"PORT", "API_METRICS_PORT", "APP_URL", OWNER},
    "worker": {"METRICS_PORT", OWNER},
}
"""Settings of the running `up` that another API or worker process cannot share or must not have."""
IREDIS = "iredis==1.16.1"


def connect(home: Path, program: Program, arguments: Sequence[str]) -> int:
    """Replace this process with the program.

    Returns:
        The exit code, if this process was not replaced: there is no server, the program is missing,
        or only a single Redis command was run.

    Raises:
        SettingsError: the URL of a server is missing or invalid.
    """
    named = environment_with_dotenv(os.environ, ROOT)
    variables = merged_settings(home, named, OWN_VARIABLES.get(program, set()))
    if not variables.get("DATABASE_URL"):
        return print_error("nothing is running: run `just up` first, or name your servers in .env")
    if program == "redis" and arguments:
        return run_redis_command(variables, arguments)
    command, extra = COMMANDS[program](variables, arguments)
    try:
        os.execvpe(command[0], command, variables | extra)  # noqa: S606 # no shell is needed
    except FileNotFoundError:
        return print_error(f"{command[0]} is not on the PATH")


def merged_settings(
    home: Path, named: Mapping[str, str], excluded: Collection[str]
) -> dict[str, str]:
    """Merge the settings of a running `up` with the user's own, which take precedence.

    If the user's settings name another database, the running `up` is ignored.

    Args:
        named: the user's settings, from the environment and `.env`. Empty values are ignored.
        excluded: names of settings not to take from the running `up`.
    """
    running: dict[str, str] = {}
    if is_locked(home / LOCK_FILE):
        running = {name: value or "" for name, value in dotenv_values(home / ENV_FILE).items()}
    if named.get("DATABASE_URL") not in {None, "", running.get("DATABASE_URL")}:
        running = {}
    shared = {name: value for name, value in running.items() if name not in excluded}
    return {"ENVIRONMENT": "development", **shared, **{k: v for k, v in named.items() if v}}


def app_command(_: Mapping[str, str], arguments: Sequence[str]) -> Command:
    return [sys.executable, "-m", "app", *arguments], {}


def api_command(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """Pick free ports if none are set (an API may already be running), and print the URLs."""
    port = variables.get("PORT") or str(default_or_free_port(8000))
    metrics_port = variables.get("API_METRICS_PORT") or str(default_or_free_port(9101))
    host = variables.get("HOST", LOOPBACK)
    url = f"http://{host}:{port}"
    say(f"API: {url}, metrics: http://{host}:{metrics_port}/metrics")
    return [sys.executable, "-m", "app.asgi", *arguments], {
        "PORT": port,
        "API_METRICS_PORT": metrics_port,
        "APP_URL": variables.get("APP_URL", url),
    }


def worker_command(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    port = variables.get("METRICS_PORT") or str(default_or_free_port(9100))
    if not {"--check", "--help"} & set(arguments):
        say(f"metrics: http://{variables.get('HOST', LOOPBACK)}:{port}/metrics")
    command = [sys.executable, "-m", "arq", "worker.WorkerSettings", *arguments]
    return command, {"METRICS_PORT": port}


def psql_command(variables: Mapping[str, str], arguments: Sequence[str]) -> Command:
    """Pass the password in the environment: any user of this machine can read the arguments."""
    url = urlsplit(read(Database, variables).url)
    program = shutil.which("psql") or str(postgres_folder() / "bin" / "psql")
    user, _, host = url.netloc.rpartition("@")
    name, _, password = user.partition(":")
    bare = url._replace(netloc=f"{name}@{host}" if name else host)
    command = [program, urlunsplit(bare), *arguments]
    return command, {"PGPASSWORD": unquote(password)} if password else {}


def redis_client_command(variables: Mapping[str, str], _: Sequence[str]) -> Command:
    """Use iredis, which uv downloads on first use: the Valkey wheel has no client."""
    uv = os.environ.get("UV", "uv")
    url = read(RedisSettings, variables).url
    return [uv, "tool", "run", "--quiet", IREDIS], {"IREDIS_URL": url}


def run_redis_command(variables: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Run one Redis command, print the reply and return the exit code."""
    url = read(RedisSettings, variables).url
    try:
        with Redis.from_url(url, decode_responses=True, encoding_errors="replace") as client:
            client.response_callbacks.clear()  # print replies as Redis sends them
            _print_reply(client.execute_command(*arguments))
    except RedisError as error:
        return print_error(f"Redis: {error}")
    return 0


def _print_reply(reply: object) -> None:
    if isinstance(reply, list):
        for item in reply:
            _print_reply(item)
    else:
        print("(nil)" if reply is None else reply)


COMMANDS: Mapping[Program, Callable[[Mapping[str, str], Sequence[str]], Command]] = {
    "api": api_command,
    "worker": worker_command,
    "app": app_command,
    "psql": psql_command,
    "redis": redis_client_command,
}
