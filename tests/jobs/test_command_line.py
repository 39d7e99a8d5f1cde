"""`python -m app jobs|queues|kinds|workers|create-admin`, run as processes."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import pytest

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from app.jobs.handlers import HANDLERS
from app.postgres.database import Database
from tests.jobs.operators import dead
from tests.support.people import person
from tests.support.processes import WORKER
from tests.support.processes import program as run_program
from tests.support.sample_jobs import CALLS, SampleJob, enqueue_job, job_row
from tests.support.working import RunJobs
from worker import settings

__all__ = ["settings"]  # importing `settings` registers the handlers

NO_JOB = "01980000-0000-7000-8000-000000000000"


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def cli(environ: Mapping[str, str], *arguments: str, stdin: str = "") -> Result:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        cwd=ROOT,
        env=environ,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Result(process.returncode, out.decode(), err.decode())


async def test_jobs_are_listed_as_a_table_or_json(
    environ: Mapping[str, str], database: Database
) -> None:
    kim = await person(database, "kim")
    job_id = await enqueue_job(database, SampleJob("a"))
    await database.execute("update jobs set user_id = $1, error = $2", kim.id, "red\n\x1b[31m ink")
    await enqueue_job(database, SampleJob("b"))
    table = await cli(environ, "jobs", "list", "--user", "kim@example.com", "--state", "queued")
    head, line = table.out.splitlines()
    assert line.startswith(f"{job_id}  queued  test:sample  default")
    assert line.endswith("red  [31m ink")
    assert line.index("queued") == head.index("state")
    listed = (await cli(environ, "jobs", "list", "--limit", "1", "--json")).json
    assert [("queued", None)] == [(job["state"], job["error"]) for job in listed]


async def test_dead_letter_is_shown_with_its_traceback_and_retried(
    environ: Mapping[str, str], database: Database, run_jobs: RunJobs
) -> None:
    (job_id,) = await dead(database, run_jobs, SampleJob("a"), reason="no paper")
    details = await cli(environ, "jobs", "show", str(job_id))
    assert "traceback of attempt 1\nTraceback (most recent call last):" in details.out
    assert "attempt 1 ended: dead" in details.out
    retried = await cli(environ, "jobs", "retry", str(job_id), "--json")
    assert (0, "queued") == (retried.code, retried.json["state"])
    logged = json.loads(retried.err.splitlines()[0])
    assert ("operator.retried_job", "cli") == (logged["event"], logged["by"])
    await run_jobs()
    assert 2 == CALLS["a"]


async def test_waiting_job_can_be_cancelled_but_only_once(
    environ: Mapping[str, str], database: Database
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    assert 0 == (await cli(environ, "jobs", "cancel", str(job_id))).code
    assert "cancelled" == (await job_row(database, job_id))["state"]
    again = await cli(environ, "jobs", "cancel", str(job_id))
    assert (1, "activelog: The job cannot be cancelled: it is already cancelled.\n") == (
        again.code,
        again.err,
    )


async def test_dead_letters_are_listed_retried_and_discarded_by_group(
    environ: Mapping[str, str], database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, SampleJob("a"), SampleJob("b"), reason="no paper")
    (group,) = (await cli(environ, "jobs", "dead", "--json")).json
    table = await cli(environ, "jobs", "dead")
    assert ("test:sample", 2) == (group["kind"], group["count"])
    assert f"{group['fingerprint']}  test:sample" in table.out
    retried = await cli(environ, "jobs", "dead", "--retry", group["fingerprint"], "--json")
    assert {"retried": 2, "skipped": 0} == retried.json
    await dead(database, run_jobs, SampleJob("c"), reason="no paper")
    other = await cli(environ, "jobs", "dead", "--retry-all", "--kind", "test:low", "--json")
    assert {"retried": 0, "skipped": 0} == other.json
    discarded = await cli(environ, "jobs", "dead", "--discard", group["fingerprint"], "--json")
    assert {"discarded": 1} == discarded.json
    assert "none\n" == (await cli(environ, "jobs", "dead")).out


async def test_queues_and_kinds_are_paused_and_resumed(
    environ: Mapping[str, str], database: Database
) -> None:
    await enqueue_job(database, SampleJob("a"))
    for noun, name in (("queues", "critical"), ("kinds", "test:sample")):
        for verb, paused in (("pause", True), ("resume", False)):
            after = (await cli(environ, noun, verb, name, "--json")).json
            assert [paused] == [entry["paused"] for entry in after if entry["name"] == name]
    assert 4 == len((await cli(environ, "queues", "list")).out.splitlines())
    assert "none\n" == (await cli(environ, "workers")).out


async def test_every_kind_is_listed_and_one_without_jobs_can_be_paused(
    environ: Mapping[str, str], database: Database
) -> None:
    kinds = {job.kind for job in HANDLERS if job.__module__.startswith("app.")}
    listed = (await cli(environ, "kinds", "list", "--json")).json
    assert kinds == {entry["name"] for entry in listed}
    after = (await cli(environ, "kinds", "pause", "email:weekly_summary", "--json")).json
    assert ["email:weekly_summary"] == [entry["name"] for entry in after if entry["paused"]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"jobs show {NO_JOB}", NO_JOB),
        ("jobs show five", "'five' is not a job ID"),
        ("jobs list --state lost", "lost"),
        ("jobs list --limit 0", 'Invalid value "0" for --limit'),
        ("jobs list --user nobody@example.com", "No user has this ID or address."),
        ("jobs dead --retry 0123", "0123"),
        ("jobs dead --kind a", "--retry-all"),
        ("queues pause urgent", '"critical", "default", "low"'),
        ("kinds pause a:typo", "a:typo"),
        ("create-admin nobody", "email address"),
        ("jobs list extra", "extra"),
        ("jobs dead --retry 0123 --retry-all", "Use only one of"),
    ],
)
async def test_command_with_bad_input_prints_one_line_and_exits_with_2(
    environ: Mapping[str, str], database: Database, line: str, words: str
) -> None:
    result = await cli(environ, *line.split())
    assert (2, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert result.err.startswith("activelog: ")
    assert words in result.err


@pytest.mark.parametrize("command", [(), ("jobs",), ("email", "suppressions")])
async def test_app_without_a_command_lists_the_commands_and_exits_with_2(
    environ: Mapping[str, str], command: tuple[str, ...]
) -> None:
    result = await cli(environ, *command)
    assert (2, "") == (result.code, result.err)
    assert "Usage: python -m app" in result.out
    assert result.out == (await cli(environ, *command, "--help")).out


async def test_command_prints_one_line_and_exits_with_1_during_a_postgres_outage(
    environ: Mapping[str, str],
) -> None:
    unreachable = {**environ, "DATABASE_URL": "postgresql://activelog@127.0.0.1:1/none"}
    result = await cli(unreachable, "queues", "list")
    assert (1, 1) == (result.code, len(result.err.splitlines()))
    assert result.err.startswith("activelog: Postgres is unavailable")


@pytest.mark.parametrize(
    "program",
    [("-m", "app", "queues", "list"), ("-m", "app", "migrate"), ("-m", "app.asgi"), WORKER],
    ids=str,
)
@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("activelog_app:", "nobody-known:", 'failed for user "nobody-known"'),
        ("/worker_", "/no-worker_", "does not exist"),
        ("", "?bogus=1", "bogus"),
        ("", "?sslmode=bogus", "sslmode"),
    ],
)
async def test_process_with_a_rejected_database_url_prints_one_line_and_exits_with_2(
    environ: Mapping[str, str], program: tuple[str, ...], old: str, new: str, problem: str
) -> None:
    url = environ["DATABASE_URL"]
    wrong = url.replace(old, new) if old else url + new
    async with run_program(
        *program, environ={**environ, "PORT": str(*free_ports(1)), "DATABASE_URL": wrong}
    ) as process:
        assert await process.ended() == 2, process.output
    (line,) = [line for line in process.output.splitlines() if not line.startswith("{")]
    assert line.startswith("activelog: DATABASE_URL cannot be used: ")
    assert problem in line


async def test_job_can_be_cancelled_without_redis(
    environ: Mapping[str, str], database: Database
) -> None:
    job_id = await enqueue_job(database, SampleJob("a"))
    without_redis = {**environ, "REDIS_URL": "redis://127.0.0.1:1/0"}
    assert 0 == (await cli(without_redis, "jobs", "cancel", str(job_id))).code


async def test_operator_is_created_with_a_piped_password_that_is_long_enough(
    environ: Mapping[str, str], api: httpx.AsyncClient
) -> None:
    arguments = ("create-admin", "ada@example.com")
    short = await cli(environ, *arguments, stdin="short\n")
    expected = "activelog: Expected 10 to 128 characters, and not easy to guess.\n"
    assert (2, expected) == (short.code, short.err)
    created = await cli(environ, *arguments, stdin="a long walk on the beach\n")
    assert 0 == created.code, created.err
    assert "ada@" not in created.err
    credentials = {"email": "ada@example.com", "password": "a long walk on the beach"}
    token = (await api.post("/api/v1/sessions", json=credentials)).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert 200 == (await api.get("/api/v1/admin/queues", headers=headers)).status_code


async def test_existing_account_becomes_an_operator_and_no_password_is_requested(
    environ: Mapping[str, str], database: Database, api: httpx.AsyncClient
) -> None:
    kim = await person(database, "kim")
    assert 0 == (await cli(environ, "create-admin", "Kim@example.com")).code
    assert 200 == (await api.get("/api/v1/admin/jobs", headers=kim.headers)).status_code
