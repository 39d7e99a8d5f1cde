"""Dead letters: grouped by cause, retried and discarded."""

from __future__ import annotations

import re

import httpx
import pytest
from structlog.testing import capture_logs

from app.postgres.database import Database
from tests.jobs.operators import dead
from tests.pages.browsing import redirect_path, submit, text_of
from tests.support.moments import at
from tests.support.people import Person
from tests.support.sample_jobs import CriticalSampleJob, SampleJob, enqueue_job
from tests.support.working import RunJobs

DEAD_LETTERS = "/ops/dead-letters"


@pytest.fixture
async def fingerprints(database: Database, run_jobs: RunJobs) -> list[str]:
    """Add three dead letters, two with the same cause. Return the fingerprints, latest first."""
    await dead(
        database, run_jobs, SampleJob("a"), SampleJob("b"), reason="<i>page 1</i> is missing"
    )
    await dead(database, run_jobs, CriticalSampleJob("c"), reason="too late")
    rows = await database.fetch(
        "select fingerprint from jobs group by 1 order by max(finished_at) desc"
    )
    return [row["fingerprint"] for row in rows]


async def states(database: Database) -> list[str]:
    return [row["state"] for row in await database.fetch("select state from jobs order by id")]


async def test_dead_letters_are_grouped_by_kind_and_error(
    ops_browser: httpx.AsyncClient, fingerprints: list[str]
) -> None:
    response = await ops_browser.get(DEAD_LETTERS)
    text = text_of(response)
    assert text.index("1 test:critical") < text.index("2 test:sample")
    assert "Dead: <i>page 1</i> is missing" in text
    assert "<i>page" not in response.text
    assert fingerprints == re.findall(r'<h2><a href="/ops/dead-letters/(\w+)">', response.text)


async def test_group_shows_its_kind_and_jobs(
    ops_browser: httpx.AsyncClient, fingerprints: list[str]
) -> None:
    response = await ops_browser.get(f"{DEAD_LETTERS}/{fingerprints[1]}")
    assert "2 dead letters: test:sample" in text_of(response)
    assert 2 == len(re.findall(r'action="/ops/jobs/[0-9a-f-]+/retry"', response.text))


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("21:20:01", "21:20:59", "25 Nov 2026, 21:20 UTC"),
        ("21:19:59", "21:20:00", "25 Nov 2026, 21:19 UTC to 25 Nov 2026, 21:20 UTC"),
    ],
)
async def test_group_shows_a_time_range_only_if_its_times_are_in_different_minutes(
    ops_browser: httpx.AsyncClient, database: Database, first: str, last: str, text: str
) -> None:
    for time in (first, last):
        await database.execute(
            "insert into jobs (kind, queue, payload, state, finished_at, fingerprint)"
            " values ('test:sample', 'low', '{}', 'dead', $1, 'f')",
            at(f"2026-11-25 {time}"),
        )
    for path in (DEAD_LETTERS, f"{DEAD_LETTERS}/f"):
        page = text_of(await ops_browser.get(path))
        assert text in page
        assert (" UTC to " in page) == (" to " in text)


async def test_operator_retries_a_group(
    ops_browser: httpx.AsyncClient, database: Database, fingerprints: list[str], ada: Person
) -> None:
    with capture_logs() as logs:
        response = await submit(
            ops_browser, await ops_browser.get(DEAD_LETTERS), f"/{fingerprints[1]}/retry"
        )
    assert ["queued", "queued", "dead"] == await states(database)
    assert "2 jobs were queued for retry." in text_of(
        await ops_browser.get(redirect_path(response))
    )
    (entry,) = [log for log in logs if log["event"] == "operator.retried_group"]
    assert (str(ada.id), 2) == (entry["by"], entry["retried"])


async def test_message_after_a_retry_counts_the_skipped_jobs(
    ops_browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, SampleJob("a", key="k"), SampleJob("b"), reason="too late")
    await enqueue_job(database, SampleJob("a", key="k"))
    response = await submit(ops_browser, await ops_browser.get(DEAD_LETTERS), "/dead-letters/retry")
    assert "1 job was queued for retry. 1 job was skipped (expired or duplicate)." in text_of(
        await ops_browser.get(redirect_path(response))
    )


async def test_operator_retries_all_dead_letters(
    ops_browser: httpx.AsyncClient, database: Database, fingerprints: list[str], ada: Person
) -> None:
    page = await ops_browser.get(DEAD_LETTERS)
    assert "Retry all 3 dead letters? They have 2 different causes." in text_of(page)
    with capture_logs() as logs:
        await submit(ops_browser, page, "/dead-letters/retry")
    assert ["queued"] * 3 == await states(database)
    (entry,) = [log for log in logs if log["event"] == "operator.retried_all"]
    assert (str(ada.id), 3) == (entry["by"], entry["retried"])
    assert "No dead letters" in text_of(await ops_browser.get(DEAD_LETTERS))


async def test_operator_discards_a_group(
    ops_browser: httpx.AsyncClient, database: Database, fingerprints: list[str], ada: Person
) -> None:
    page = await ops_browser.get(f"{DEAD_LETTERS}/{fingerprints[1]}")
    assert "Discard 2 test:sample jobs?" in text_of(page)
    with capture_logs() as logs:
        response = await submit(ops_browser, page, f"/{fingerprints[1]}/discard")
    assert ["cancelled", "cancelled", "dead"] == await states(database)
    assert "2 jobs were discarded." in text_of(await ops_browser.get(redirect_path(response)))
    (entry,) = [log for log in logs if log["event"] == "operator.discarded_group"]
    assert (str(ada.id), 2) == (entry["by"], entry["discarded"])
    assert 404 == (await submit(ops_browser, page, f"/{fingerprints[1]}/discard")).status_code


async def test_groups_are_paged(ops_browser: httpx.AsyncClient, database: Database) -> None:
    await database.execute(
        "insert into jobs (kind, queue, payload, state, finished_at, fingerprint)"
        " select 'test:sample', 'low', '{}', 'dead', now() - n * interval '1 s', 'f' || n"
        " from generate_series(1, 30) as n"
    )
    first = await ops_browser.get(DEAD_LETTERS)
    (following,) = re.findall(r'href="(/ops/dead-letters\?before=[^"]+)"', first.text)
    rest = await ops_browser.get(following.replace("&amp;", "&"))
    assert [f"f{n}" for n in range(26, 31)] == re.findall(r"/dead-letters/(\w+)/retry", rest.text)


async def test_operator_retries_one_job_in_a_group(
    ops_browser: httpx.AsyncClient, database: Database, fingerprints: list[str]
) -> None:
    page = await ops_browser.get(f"{DEAD_LETTERS}/{fingerprints[0]}")
    (path,) = re.findall(r'action="(/ops/jobs/[0-9a-f-]+/retry)"', page.text)
    response = await submit(ops_browser, page, path)
    assert 303 == response.status_code
    assert ["dead", "dead", "queued"] == await states(database)
