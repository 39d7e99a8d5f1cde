"""The emails about exports: when they are sent, and what they say."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from app import jobs
from app.embedded.inbox import Inbox
from app.exports.emails import SendExportFailedEmail
from app.exports.export import ExportId
from app.jobs.admin.dead_letters import retry_job
from app.jobs.admin.jobs import cancel_job
from app.postgres.database import Database
from tests.support.exports import add_activities, request_export
from tests.support.people import Person, person
from tests.support.working import RunJobs


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def test_ready_email_links_to_our_own_url_and_not_to_a_presigned_url(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await add_activities(database, kim.id, 10)
    export = await request_export(api, kim)

    await run_jobs()

    (email,) = inbox.emails()
    assert email.message["To"].addresses[0].addr_spec == kim.email
    assert f"https://activelog.example/exports/{export['id']}/download" in str(email.text)
    assert "X-Amz" not in str(email.message)


async def test_failure_email_says_what_to_do(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await add_activities(database, kim.id, 50_001)
    await request_export(api, kim, "pdf")

    await run_jobs(may_fail=True)

    (email,) = inbox.emails()
    text = " ".join(str(email.text).split())
    assert "A PDF can hold 50,000 activities, but this export has 50,001." in text
    assert "Choose CSV, or a shorter period." in text


async def test_no_email_is_sent_about_a_deleted_export(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    export = await request_export(api, kim)
    await database.execute("insert into pauses (what, name) values ('kind', 'email:export_ready')")
    await run_jobs(may_fail=True)
    assert ["kind email:export_ready"] == await database.fetchval(
        "select array_agg(blocked_on) from jobs where state <> 'done'"
    )
    await api.delete(f"/api/v1/export/{export['id']}", headers=kim.headers)
    await database.execute("delete from pauses")
    await database.execute(
        "update jobs set state = 'queued', run_at = now(), blocked_on = null"
        " where blocked_on is not null"
    )

    await run_jobs()

    assert await state_of_ready_email_job(database) == "done"
    assert inbox.emails() == []


async def state_of_ready_email_job(database: Database) -> str:
    """Return the state of the job that sends the email about the finished export."""
    state = "select state from jobs where kind = 'email:export_ready'"
    return str(await database.fetchval(state))


async def test_email_is_sent_when_an_operator_cancels_an_export(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await request_export(api, kim)
    job_id = await database.fetchval("select id from jobs")
    async with database.transaction() as tx:
        await cancel_job(tx, job_id, by="test")

    await run_jobs()

    (email,) = inbox.emails()
    assert "It was cancelled. Request it again." in " ".join(str(email.text).split())


async def test_email_is_sent_when_an_export_expires_before_it_starts(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    await request_export(api, kim)
    await database.execute("update jobs set expires_at = now() - interval '1 second'")

    await run_jobs()

    (email,) = inbox.emails()
    assert "It expired before it could start. Request it again." in " ".join(
        str(email.text).split()
    )


async def test_no_failure_email_is_sent_if_a_retry_succeeds_first(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, kim: Person
) -> None:
    export = await request_export(api, kim)
    await database.execute("update jobs set state = 'dead', finished_at = now(), fingerprint = 'f'")
    async with database.transaction() as tx:
        job = SendExportFailedEmail(ExportId(UUID(export["id"])), kim.id)
        await jobs.enqueue(tx, job)
    await retry_job(database, await database.fetchval("select job_id from exports"), by="test")

    await run_jobs()

    assert ["Your export is ready"] == [email.subject for email in inbox.emails()]
