"""`just api`, `worker` and `psql`: programs that join what runs, or what the environment names."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from app.embedded.connecting import OWN, settings
from app.postgres.database import Database
from app.resources import Resources
from tests.embedded.running import registered, small_environment, small_up
from tests.support.processes import program
from tests.support.trials import Trial, put, row

CONNECT = ("-m", "app.embedded", "connect")
AT_HOME = (
    "import sys; from pathlib import Path; from app.embedded.connecting import connect;"
    " sys.exit(connect(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))"
)


async def test_psql_joins_the_running_up_and_named_settings_come_first(home: Path) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        unset = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test"}
        query = ("psql", "-Atc", "select current_database()")
        async with program("-c", AT_HOME, str(home), *query, environ=unset) as psql:
            assert await psql.ended() == 0
        beside = settings(home, {"SMTP_URL": "smtp://named.example", "EMPTY": ""}, OWN["api"])
        named = settings(home, {"APP_URL": "https://named.example"}, OWN["api"])
        elsewhere = settings(home, {"DATABASE_URL": "postgresql://elsewhere.example/x"}, OWN["api"])
        up.process.terminate()
        await up.end()
    assert psql.said == "activelog\n"
    assert {"DATABASE_URL", "REDIS_URL", "ENVIRONMENT"} <= set(beside)
    assert beside["SMTP_URL"] == "smtp://named.example"
    assert not {"PORT", "APP_URL", "EMPTY"} & set(beside)
    assert named["APP_URL"] == "https://named.example"
    assert {"DATABASE_URL", "ENVIRONMENT"} == set(elsewhere)
    assert registered(home) == {}


async def test_without_a_running_up_or_settings_it_says_what_to_do(home: Path) -> None:
    unset = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test"}
    async with program("-c", AT_HOME, str(home), "worker", environ=unset) as worker:
        assert await worker.ended() == 1
    said = "nothing is running: `just up` starts it, or name your servers in .env\n"
    assert said == worker.said


async def test_an_api_gets_a_free_port_and_says_which(environ: Mapping[str, str]) -> None:
    without_port = {name: value for name, value in environ.items() if name != "PORT"}
    async with program(*CONNECT, "api", environ=without_port) as api:
        await api.says("api.started")
        url = re.search(r"API: (http://127\.0\.0\.1:\d+)", api.said)
        assert url
        async with httpx.AsyncClient(base_url=url[1]) as client:
            assert (await client.get("/health/live")).status_code == 200
        api.send(signal.SIGINT)
        assert await api.ended() == 0
    assert "Traceback" not in api.said


async def test_a_worker_takes_the_options_of_arq(
    database: Database, environ: Mapping[str, str]
) -> None:
    job_id = await put(database, Trial("a"))
    async with program(*CONNECT, "worker", "--", "--burst", environ=environ) as worker:
        assert await worker.ended() == 0
    assert (await row(database, job_id))["state"] == "snoozed"  # it has no handler of trials


async def test_a_command_joins_with_its_arguments_as_they_are(environ: Mapping[str, str]) -> None:
    given = ("app", "--", "jobs", "list", "--kind", "no such kind", "--json")
    async with program(*CONNECT, *given, environ=environ) as listing:
        assert await listing.ended() == 0
    assert listing.said == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "code", "answer"),
    [
        (("set", "key", 'it\'s "q"  a\nb'), 0, "OK\n"),
        (("set", "large", "a" * 100_000), 0, "OK\n"),
        (("get", "missing"), 0, "(nil)\n"),
        (("zrange", "missing"), 1, "Redis: wrong number of arguments for 'zrange' command\n"),
    ],
)
async def test_redis_runs_one_command_with_its_arguments_as_they_are(
    resources: Resources,
    environ: Mapping[str, str],
    arguments: tuple[str, ...],
    code: int,
    answer: str,
) -> None:
    async with program(*CONNECT, "redis", "--", *arguments, environ=environ) as redis:
        assert code == await redis.ended()
    assert answer == redis.said
    if arguments[0] == "set":
        kept = await resources.redis.get(arguments[1])
        assert kept is not None
        assert arguments[2] == kept.decode()


@pytest.mark.parametrize(
    ("named", "client", "said"),
    [
        (
            {"DATABASE_URL": "postgresql://localhost/x"},
            "redis",
            "REDIS_URL is not set: for example",
        ),
        ({"DATABASE_URL": "postgresql://u:p@[::1/x"}, "psql", "DATABASE_URL is not a valid URL"),
        ({"DATABASE_URL": "mysql://localhost/x"}, "psql", "DATABASE_URL is not a valid URL"),
    ],
)
async def test_a_wrong_url_is_one_line_and_exit_code_2(
    named: dict[str, str], client: str, said: str
) -> None:
    unset = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test", **named}
    async with program(*CONNECT, client, "--", "ping", environ=unset) as process:
        assert await process.ended() == 2
    assert process.said.startswith(said)
    assert len(process.said.splitlines()) == 1
