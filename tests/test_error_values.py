"""Row and argument values are removed from an error before it is stored or logged."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Mapping

import asyncpg
import httpx
import pytest

from app.embedded.home import ROOT
from app.errors import without_values
from app.postgres.database import Database
from app.resources import Resources
from tests.jobs.operators import operator
from tests.support.people import Person, person
from tests.support.sample_jobs import BEHAVIOURS, SampleJob, enqueue_job
from tests.support.working import eventually, running_worker

KIM = "kim@example.com"
SIGN_UP = "insert into users (email, name, password_hash) values ($1, 'Kim', 'none')"


async def unique_violation(database: Database) -> asyncpg.UniqueViolationError:
    with pytest.raises(asyncpg.UniqueViolationError) as raised:
        await database.execute(SIGN_UP, KIM)
    assert KIM in str(raised.value)
    return raised.value


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def test_dead_letter_names_the_constraint_but_no_value(
    database: Database,
    resources: Resources,
    api: httpx.AsyncClient,
    kim: Person,
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def sign_up(*_: object) -> None:
        try:
            await database.execute(SIGN_UP, KIM)
        except asyncpg.UniqueViolationError as error:
            raise RuntimeError("nobody was signed up") from error

    async def sign_up_again(*_: object) -> None:
        await database.execute(SIGN_UP, KIM)

    BEHAVIOURS.update(wrapped=sign_up, bare=sign_up_again)
    ids = [await enqueue_job(database, SampleJob(name)) for name in BEHAVIOURS]

    async def dead() -> object:
        return await database.fetchval("select count(*) from jobs where state = 'dead'")

    async with running_worker(resources):
        await eventually(dead, len(ids))

    logged = "".join(capfd.readouterr())
    errors = await texts(database, "select error from jobs where error like 'Uni%'")
    errors += await texts(database, "select error from job_attempts where error like 'Uni%'")
    traces = await texts(database, "select traceback from job_attempts")
    cookie = f"__Host-session={(await operator(database)).token}"
    pages = [
        (await api.get(path, headers={"Cookie": cookie})).text
        for path in ("/ops/dead-letters", *(f"/ops/jobs/{job_id}" for job_id in ids))
    ]
    assert (len(errors), len(traces)) == (5, 8)
    for text in (*errors, *traces, *pages, logged):
        assert "users_email" in text
        assert KIM not in text


async def texts(database: Database, sql: str) -> list[str]:
    return [row[0] for row in await database.fetch(sql)]


@pytest.mark.parametrize("wrapped", ["bare", "cause", "context", "group"])
async def test_traceback_keeps_the_constraint_but_no_value(
    database: Database, kim: Person, wrapped: str
) -> None:
    error: BaseException = await unique_violation(database)
    if wrapped == "cause":
        outer: BaseException = RuntimeError("outer")
        outer.__cause__ = error
    elif wrapped == "context":
        outer = RuntimeError("outer")
        outer.__context__ = error
    elif wrapped == "group":
        outer = BaseExceptionGroup("outer", [ValueError("a"), BaseExceptionGroup("b", [error])])
    else:
        outer = error

    text = "".join(traceback.format_exception(without_values(outer)))

    assert KIM not in text
    assert "users_email" in text


@pytest.mark.parametrize(
    ("sql", "argument"),
    [
        ("select $1::text::int", KIM),
        ("select $1::text::date", KIM),
        ("select $1::uuid", KIM),
        ("select $1::int", KIM),
        ("select $1::jsonb", '{"' + KIM),
        ("update users set is_admin = null where email = $1", KIM),
    ],
)
async def test_rejected_value_is_removed_from_the_traceback(
    database: Database, kim: Person, sql: str, argument: str
) -> None:
    with pytest.raises((asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)) as raised:
        await database.execute(sql, argument)
    assert KIM in "".join(traceback.format_exception(raised.value))

    text = "".join(traceback.format_exception(without_values(raised.value)))

    assert KIM not in text
    assert "Error: " in text


SCRIPT = f"""
import asyncio, logging, os, sys
import asyncpg, structlog
from app import logs
from app.settings import Logs

logs.configure(Logs(level="info", format=sys.argv[1]))

async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        try:
            await connection.execute({SIGN_UP!r}, {KIM!r})
        except asyncpg.PostgresError as error:
            log.exception("it failed")
            log.error("it failed again", exc_info=error)
    await connection.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_logged_traceback_keeps_the_constraint_but_no_value(
    environ: Mapping[str, str], kim: Person, form: str
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, form],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stderr.count("Traceback") == 4
    assert result.stderr.count("users_email") == 4
    assert "DETAIL" not in result.stderr
    assert f"({KIM})" not in result.stderr
