"""Recipes such as `just api` and `just psql` connect to running servers or to given ones."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from app.embedded.connect import OWN_VARIABLES, merged_settings
from app.postgres.database import Database
from app.resources import Resources
from tests.embedded.running import registered, small_environment, small_up
from tests.support.processes import program
from tests.support.sample_jobs import SampleJob, enqueue_job, job_row

CONNECT = ("-m", "app.embedded", "connect")
CONNECT_AT_HOME = (
    "import sys; from pathlib import Path; from app.embedded.connect import connect;"
    " sys.exit(connect(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))"
)


async def test_psql_connects_to_the_running_server_and_given_settings_take_precedence(
    home: Path,
) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        unset = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test"}
        query = ("psql", "-Atc", "select current_database()")
        async with program("-c", CONNECT_AT_HOME, str(home), *query, environ=unset) as psql:
            assert await psql.ended() == 0
        private = OWN_VARIABLES["api"]
        merged = merged_settings(home, {"SMTP_URL": "smtp://given.example", "EMPTY": ""}, private)
        with_app_url = merged_settings(home, {"APP_URL": "https://given.example"}, private)
        elsewhere = merged_settings(
            home, {"DATABASE_URL": "postgresql://elsewhere.example/x"}, private
        )
        up.process.terminate()
        await up.end()
    assert psql.output == "activelog\n"
    assert {"DATABASE_URL", "REDIS_URL", "ENVIRONMENT"} <= set(merged)
    assert merged["SMTP_URL"] == "smtp://given.example"
    assert not {"PORT", "APP_URL", "EMPTY"} & set(merged)
    assert with_app_url["APP_URL"] == "https://given.example"
    assert {"DATABASE_URL", "ENVIRONMENT"} == set(elsewhere)
    assert registered(home) == {}


async def test_connect_says_what_to_do_when_nothing_is_running(home: Path) -> None:
    unset = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test"}
    async with program("-c", CONNECT_AT_HOME, str(home), "worker", environ=unset) as worker:
        assert await worker.ended() == 1
    expected = "nothing is running: run `just up` first, or name your servers in .env\n"
    assert expected == worker.output


async def test_api_picks_a_free_port_and_prints_its_url(environ: Mapping[str, str]) -> None:
    without_port = {name: value for name, value in environ.items() if name != "PORT"}
    async with program(*CONNECT, "api", environ=without_port) as api:
        await api.wait_for_output("api.started")
        url = re.search(r"API: (http://127\.0\.0\.1:\d+)", api.output)
        assert url
        async with httpx.AsyncClient(base_url=url[1]) as client:
            assert (await client.get("/health/live")).status_code == 200
        api.send(signal.SIGINT)
        assert await api.ended() == 0
    assert "Traceback" not in api.output


async def test_worker_accepts_arq_options(database: Database, environ: Mapping[str, str]) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    async with program(*CONNECT, "worker", "--", "--burst", environ=environ) as worker:
        assert await worker.ended() == 0
    assert (await job_row(database, job_id))["state"] == "snoozed"  # no handler for sample jobs


async def test_app_command_receives_its_arguments_unchanged(environ: Mapping[str, str]) -> None:
    given = ("app", "--", "jobs", "list", "--kind", "no such kind", "--json")
    async with program(*CONNECT, *given, environ=environ) as listing:
        assert await listing.ended() == 0
    assert listing.output == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "code", "answer"),
    [
        (("set", "key", 'it\'s "q"  a\nb'), 0, "OK\n"),
        (("set", "large", "a" * 100_000), 0, "OK\n"),
        (("get", "missing"), 0, "(nil)\n"),
        (("zrange", "missing"), 1, "Redis: wrong number of arguments for 'zrange' command\n"),
    ],
)
async def test_redis_command_receives_its_arguments_unchanged(
    resources: Resources,
    environ: Mapping[str, str],
    arguments: tuple[str, ...],
    code: int,
    answer: str,
) -> None:
    async with program(*CONNECT, "redis", "--", *arguments, environ=environ) as redis:
        assert code == await redis.ended()
    assert answer == redis.output
    if arguments[0] == "set":
        stored = await resources.redis.get(arguments[1])
        assert stored is not None
        assert arguments[2] == stored.decode()


@pytest.mark.parametrize(
    ("variables", "client", "message"),
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
async def test_connect_with_a_missing_or_invalid_url_prints_one_line_and_exits_with_2(
    variables: dict[str, str], client: str, message: str
) -> None:
    unset = {"PATH": os.environ["PATH"], "ENVIRONMENT": "test", **variables}
    async with program(*CONNECT, client, "--", "ping", environ=unset) as process:
        assert await process.ended() == 2
    assert process.output.startswith(message)
    assert len(process.output.splitlines()) == 1
