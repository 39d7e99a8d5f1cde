"""The letters about exports: sent once, to whoever asked, with what they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from app.embedded.inbox.letters import Inbox
from app.transaction import Database
from tests.kit.exports import add_activities, asked
from tests.kit.people import Person, person

RunJobs = Callable[[], Awaitable[None]]


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def test_a_finished_export_is_announced_with_a_link_that_signs_in(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await add_activities(database, kim.id, 10)
    export = await asked(api, kim)

    await run_jobs()

    (letter,) = inbox.letters()
    assert letter.message["To"].addresses[0].addr_spec == kim.email
    assert f"https://activelog.example/exports/{export['id']}/download" in str(letter.text)
    assert "X-Amz" not in str(letter.message)


async def test_a_failed_export_is_announced_with_what_can_be_done(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await add_activities(database, kim.id, 50_001)
    await asked(api, kim, "pdf")

    await run_jobs()

    (letter,) = inbox.letters()
    text = " ".join(str(letter.text).split())
    assert "50,001 activities are more than the 50,000 that a PDF can hold." in text
    assert "Ask for a CSV, or for a narrower period." in text


async def test_nobody_is_told_of_an_export_that_is_deleted(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    export = await asked(api, kim)
    await database.execute("insert into pauses (what, name) values ('kind', 'email:export_ready')")
    await run_jobs()
    await api.delete(f"/api/v1/export/{export['id']}", headers=kim.headers)
    await database.execute("delete from pauses")
    await database.execute(
        "update jobs set state = 'queued', run_at = now(), waits_for = null where state = 'snoozed'"
    )

    await run_jobs()

    assert inbox.letters() == []
