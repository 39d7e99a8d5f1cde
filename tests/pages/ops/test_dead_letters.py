"""Dead letters: grouped by cause, retried, discarded."""

from __future__ import annotations

import re

import httpx
import pytest
from structlog.testing import capture_logs

from app.postgres.database import Database
from tests.jobs.operators import dead
from tests.pages.browsing import path_of, press, words
from tests.support.moments import at
from tests.support.people import Person
from tests.support.trials import CriticalTrial, Trial, put
from tests.support.working import RunJobs

DEAD_LETTERS = "/ops/dead-letters"


@pytest.fixture
async def letters(database: Database, run_jobs: RunJobs) -> list[str]:
    """Three dead letters, two of them of one cause; the fingerprints, the latest first."""
    await dead(database, run_jobs, Trial("a"), Trial("b"), reason="<i>page 1</i> is missing")
    await dead(database, run_jobs, CriticalTrial("c"), reason="too late")
    rows = await database.fetch(
        "select fingerprint from jobs group by 1 order by max(finished_at) desc"
    )
    return [row["fingerprint"] for row in rows]


async def states(database: Database) -> list[str]:
    return [row["state"] for row in await database.fetch("select state from jobs order by id")]


async def test_they_are_grouped_by_kind_and_error(
    desk: httpx.AsyncClient, letters: list[str]
) -> None:
    answer = await desk.get(DEAD_LETTERS)
    said = words(answer)
    assert said.index("1 test:critical") < said.index("2 test:trial")
    assert "Dead: <i>page 1</i> is missing" in said
    assert "<i>page" not in answer.text
    assert letters == re.findall(r'<h2><a href="/ops/dead-letters/(\w+)">', answer.text)


async def test_a_group_shows_its_error_and_its_jobs(
    desk: httpx.AsyncClient, letters: list[str]
) -> None:
    answer = await desk.get(f"{DEAD_LETTERS}/{letters[1]}")
    assert "2 dead letters: test:trial" in words(answer)
    assert 2 == len(re.findall(r'action="/ops/jobs/[0-9a-f-]+/retry"', answer.text))


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("21:20:01", "21:20:59", "25 Nov 2026, 21:20 UTC"),
        ("21:19:59", "21:20:00", "25 Nov 2026, 21:19 UTC to 25 Nov 2026, 21:20 UTC"),
    ],
)
async def test_times_of_a_group_are_a_range_only_if_they_read_differently(
    desk: httpx.AsyncClient, database: Database, first: str, last: str, text: str
) -> None:
    for clock in (first, last):
        await database.execute(
            "insert into jobs (kind, queue, payload, state, finished_at, fingerprint)"
            " values ('test:trial', 'low', '{}', 'dead', $1, 'f')",
            at(f"2026-11-25 {clock}"),
        )
    for path in (DEAD_LETTERS, f"{DEAD_LETTERS}/f"):
        page = words(await desk.get(path))
        assert text in page
        assert (" UTC to " in page) == (" to " in text)


async def test_an_operator_runs_a_group_again(
    desk: httpx.AsyncClient, database: Database, letters: list[str], ada: Person
) -> None:
    with capture_logs() as logs:
        done = await press(desk, await desk.get(DEAD_LETTERS), f"/{letters[1]}/retry")
    assert ["queued", "queued", "dead"] == await states(database)
    assert "2 jobs were queued for retry." in words(await desk.get(path_of(done)))
    (told,) = [log for log in logs if log["event"] == "operator.retried_group"]
    assert (str(ada.id), 2) == (told["by"], told["retried"])


async def test_what_is_skipped_is_counted(
    desk: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, Trial("a", key="k"), Trial("b"), reason="too late")
    await put(database, Trial("a", key="k"))
    done = await press(desk, await desk.get(DEAD_LETTERS), "/dead-letters/retry")
    assert (
        "1 job was queued for retry. 1 job was skipped: expired, or replaced by a newer job."
        in words(await desk.get(path_of(done)))
    )


async def test_an_operator_runs_all_again(
    desk: httpx.AsyncClient, database: Database, letters: list[str], ada: Person
) -> None:
    asked = await desk.get(DEAD_LETTERS)
    assert "Retry all 3 dead letters? This includes dead letters from 2 causes." in words(asked)
    with capture_logs() as logs:
        await press(desk, asked, "/dead-letters/retry")
    assert ["queued"] * 3 == await states(database)
    (told,) = [log for log in logs if log["event"] == "operator.retried_all"]
    assert (str(ada.id), 3) == (told["by"], told["retried"])
    assert "No dead letters" in words(await desk.get(DEAD_LETTERS))


async def test_an_operator_discards_a_group(
    desk: httpx.AsyncClient, database: Database, letters: list[str], ada: Person
) -> None:
    asked = await desk.get(f"{DEAD_LETTERS}/{letters[1]}")
    assert "Discard 2 test:trial?" in words(asked)
    with capture_logs() as logs:
        done = await press(desk, asked, f"/{letters[1]}/discard")
    assert ["cancelled", "cancelled", "dead"] == await states(database)
    assert "2 jobs were discarded." in words(await desk.get(path_of(done)))
    (told,) = [log for log in logs if log["event"] == "operator.discarded_group"]
    assert (str(ada.id), 2) == (told["by"], told["discarded"])
    assert 404 == (await press(desk, asked, f"/{letters[1]}/discard")).status_code


async def test_many_causes_come_by_pages(desk: httpx.AsyncClient, database: Database) -> None:
    await database.execute(
        "insert into jobs (kind, queue, payload, state, finished_at, fingerprint)"
        " select 'test:trial', 'low', '{}', 'dead', now() - n * interval '1 s', 'f' || n"
        " from generate_series(1, 30) as n"
    )
    first = await desk.get(DEAD_LETTERS)
    (following,) = re.findall(r'href="(/ops/dead-letters\?before=[^"]+)"', first.text)
    rest = await desk.get(following.replace("&amp;", "&"))
    assert [f"f{n}" for n in range(26, 31)] == re.findall(r"/dead-letters/(\w+)/retry", rest.text)


async def test_a_job_of_a_group_is_run_again_alone(
    desk: httpx.AsyncClient, database: Database, letters: list[str]
) -> None:
    asked = await desk.get(f"{DEAD_LETTERS}/{letters[0]}")
    (path,) = re.findall(r'action="(/ops/jobs/[0-9a-f-]+/retry)"', asked.text)
    done = await press(desk, asked, path)
    assert 303 == done.status_code
    assert ["dead", "dead", "queued"] == await states(database)
