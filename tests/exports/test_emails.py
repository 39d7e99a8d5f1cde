"""The emails about exports: sent once, to whoever asked, with what they need."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from app import jobs
from app.embedded.inbox import Inbox
from app.exports.emails import ExportFailedEmail
from app.exports.export import ExportId
from app.jobs.admin.dead_letters import retry_job
from app.jobs.admin.jobs import cancel_job
from app.postgres.database import Database
from tests.support.exports import add_activities, asked
from tests.support.people import Person, person
from tests.support.working import RunJobs


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def test_a_finished_export_is_announced_with_a_link_that_signs_in(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await add_activities(database, kim.id, 10)
    export = await asked(api, kim)

    await run_jobs()

    (email,) = inbox.emails()
    assert email.message["To"].addresses[0].addr_spec == kim.email
    assert f"https://activelog.example/exports/{export['id']}/download" in str(email.text)
    assert "X-Amz" not in str(email.message)


async def test_a_failed_export_is_announced_with_what_can_be_done(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await add_activities(database, kim.id, 50_001)
    await asked(api, kim, "pdf")

    await run_jobs(may_fail=True)

    (email,) = inbox.emails()
    text = " ".join(str(email.text).split())
    assert "A PDF can hold 50,000 activities, and this export has 50,001." in text
    assert "Choose CSV, or a shorter period." in text


async def test_nobody_is_told_of_an_export_that_is_deleted(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    export = await asked(api, kim)
    await database.execute("insert into pauses (what, name) values ('kind', 'email:export_ready')")
    await run_jobs(may_fail=True)
    assert await state_of_email(database) == "snoozed"
    await api.delete(f"/api/v1/export/{export['id']}", headers=kim.headers)
    await database.execute("delete from pauses")
    await database.execute(
        "update jobs set state = 'queued', run_at = now(), blocked_on = null"
        " where state = 'snoozed'"
    )

    await run_jobs()

    assert await state_of_email(database) == "done"
    assert inbox.emails() == []


async def state_of_email(database: Database) -> str:
    """The state of the job that announces the export."""
    state = "select state from jobs where kind = 'email:export_ready'"
    return str(await database.fetchval(state))


async def test_an_export_that_an_operator_cancels_is_announced_as_failed(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await asked(api, kim)
    job_id = await database.fetchval("select id from jobs")
    async with database.transaction() as tx:
        await cancel_job(tx, job_id, by="test")

    await run_jobs()

    (email,) = inbox.emails()
    assert "It was cancelled. Request it again." in " ".join(str(email.text).split())


async def test_an_export_whose_turn_came_too_late_is_announced_as_failed(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await asked(api, kim)
    await database.execute("update jobs set expires_at = now() - interval '1 second'")

    await run_jobs()

    (email,) = inbox.emails()
    assert "It expired before it could start. Request it again." in " ".join(
        str(email.text).split()
    )


async def test_nobody_is_told_of_a_failure_that_was_made_good_meanwhile(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    export = await asked(api, kim)
    await database.execute("update jobs set state = 'dead', finished_at = now(), fingerprint = 'f'")
    async with database.transaction() as tx:
        job = ExportFailedEmail(ExportId(UUID(export["id"])), kim.id)
        await jobs.enqueue(tx, job)
    await retry_job(database, await database.fetchval("select job_id from exports"), by="test")

    await run_jobs()

    assert ["Your export is ready"] == [email.subject for email in inbox.emails()]
