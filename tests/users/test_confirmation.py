"""Confirming an address."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest

from app.email.statements import suppress
from app.embedded.inbox import Inbox
from app.postgres.database import Database
from app.users.email_links import CONFIRMATION_LIFETIME, Purpose, issue_token
from app.users.user import UserId
from tests.support.working import RunJobs
from tests.users.people import sign_in, sign_up, signed_in

REQUEST_CONFIRMATION = "/api/v1/users/confirm"


async def token_for(
    database: Database,
    api: httpx.AsyncClient,
    purpose: Purpose = "confirm",
    lifetime: timedelta = CONFIRMATION_LIFETIME,
) -> str:
    await sign_up(api)
    user_id = UserId(await database.fetchval("select id from users"))
    async with database.transaction() as tx:
        return await issue_token(tx, user_id, purpose, lifetime)


async def test_token_confirms_the_address_once_without_signing_in(
    api: httpx.AsyncClient, database: Database
) -> None:
    token = await token_for(database, api)
    assert (await api.post(f"/api/v1/users/confirm/{token}")).status_code == 204
    me = await api.get("/api/v1/users/me", headers=await sign_in(api))
    assert me.json()["confirmed_at"] is not None
    assert (await api.post(f"/api/v1/users/confirm/{token}")).status_code == 410


async def test_tokens_that_are_expired_unknown_or_for_another_purpose_get_410(
    api: httpx.AsyncClient, database: Database
) -> None:
    expired = await token_for(database, api, lifetime=timedelta(seconds=-1))
    await database.execute("update users set email = 'sam@example.com'")
    other_purpose = await token_for(database, api, purpose="reset")
    for token in (expired, other_purpose, "unknown", "ü"):
        assert (await api.post(f"/api/v1/users/confirm/{token}")).status_code == 410
    assert await database.fetchval("select count(confirmed_at) from users") == 0


async def test_only_the_hash_of_a_token_is_stored(
    api: httpx.AsyncClient, database: Database
) -> None:
    token = await token_for(database, api)
    stored = await database.fetchval("select token_hash from account_tokens")
    assert stored == sha256(token.encode()).digest()


@pytest.fixture
async def kim(api: httpx.AsyncClient, inbox: Inbox, run_jobs: RunJobs) -> dict[str, str]:
    """Kim's request headers. Her welcome email is no longer in the inbox."""
    headers = await signed_in(api)
    await run_jobs()
    inbox.clear()
    return headers


async def test_another_link_is_sent_on_request_and_earlier_links_still_work(
    api: httpx.AsyncClient, kim: dict[str, str], inbox: Inbox, run_jobs: RunJobs
) -> None:
    for _ in range(2):
        assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 202
        await run_jobs()
    second, first = inbox.emails()
    assert first.subject == "Confirm your email address for ActiveLog"
    for email in (first, second):
        (token,) = re.findall(r"https://activelog\.example/confirm/(\S+)", str(email.text))
        assert (await api.post(f"{REQUEST_CONFIRMATION}/{token}")).status_code == 204
    assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 409


async def test_repeated_request_sends_no_second_email_while_the_first_is_waiting(
    api: httpx.AsyncClient, kim: dict[str, str], inbox: Inbox, run_jobs: RunJobs
) -> None:
    for _ in range(2):
        assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 202
    await run_jobs()
    assert len(inbox.emails()) == 1


async def test_no_email_is_sent_once_the_address_is_confirmed_or_the_account_deleted(
    api: httpx.AsyncClient, kim: dict[str, str], database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    for column in ("deleted_at", "confirmed_at"):
        await database.execute("update users set deleted_at = null")
        assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 202
        await database.execute(f"update users set {column} = now()")  # noqa: S608 # one of these two
        await run_jobs()
    assert inbox.emails() == []
    states = await database.fetch("select state from jobs where kind = 'email:confirmation'")
    assert ["done", "done"] == [row["state"] for row in states]


async def test_request_for_a_suppressed_address_is_refused_with_the_reason(
    api: httpx.AsyncClient, kim: dict[str, str], database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await suppress(database, address="KIM@example.com", reason="550 no such user")
    refused = await api.post(REQUEST_CONFIRMATION, headers=kim)
    assert refused.status_code == 409
    assert "We no longer send email to your address" in refused.json()["detail"]
    query = "select count(*) from jobs where kind = 'email:confirmation'"
    assert 0 == await database.fetchval(query)
