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
from app.users.login_limits import PASSWORD_CHECKS
from app.users.user import UserId
from tests.support.working import RunJobs
from tests.users.people import PASSWORD, sign_in, sign_up, signed_in

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


async def confirm(api: httpx.AsyncClient, token: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post(f"{REQUEST_CONFIRMATION}/{token}", json={"password": password})


async def test_token_and_password_confirm_the_address_once_without_signing_in(
    api: httpx.AsyncClient, database: Database
) -> None:
    token = await token_for(database, api)
    assert (await confirm(api, token)).status_code == 204
    me = await api.get("/api/v1/users/me", headers=await sign_in(api))
    assert me.json()["confirmed_at"] is not None
    assert (await confirm(api, token)).status_code == 410


async def test_tokens_that_are_expired_unknown_or_for_another_purpose_get_410(
    api: httpx.AsyncClient, database: Database
) -> None:
    expired = await token_for(database, api, lifetime=timedelta(seconds=-1))
    await database.execute("update users set email = 'sam@example.com'")
    other_purpose = await token_for(database, api, purpose="reset")
    for token in (expired, other_purpose, "unknown", "ü"):
        assert (await confirm(api, token)).status_code == 410
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
        assert (await confirm(api, token)).status_code == 204
    assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 409


async def test_repeated_request_sends_no_second_email_while_the_first_is_waiting(
    api: httpx.AsyncClient, kim: dict[str, str], inbox: Inbox, run_jobs: RunJobs
) -> None:
    for _ in range(2):
        assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 202
    await run_jobs()
    assert len(inbox.emails()) == 1


async def test_request_on_the_second_day_of_an_outage_is_answered_by_an_email(
    api: httpx.AsyncClient, kim: dict[str, str], database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    assert (await api.post(REQUEST_CONFIRMATION, headers=kim)).status_code == 202
    await database.execute(
        "update jobs set run_at = run_at - interval '25 hours',"
        " expires_at = expires_at - interval '25 hours' where kind = 'email:confirmation'"
    )
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


async def test_link_without_the_password_confirms_nothing_and_guesses_are_limited(
    api: httpx.AsyncClient, database: Database
) -> None:
    """Otherwise, by a click, the owner of an address would confirm a stranger's account for it."""
    token = await token_for(database, api)
    statuses = [
        (await confirm(api, token, "a guess of mine")).status_code
        for _ in range(PASSWORD_CHECKS.rate.max_count + 1)
    ]
    assert statuses == [403] * PASSWORD_CHECKS.rate.max_count + [429]
    assert (await confirm(api, token, "")).status_code == 403
    assert await database.fetchval("select count(confirmed_at) from users") == 0


async def test_owner_of_the_address_can_have_an_unconfirmed_account_erased(
    api: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    token = await token_for(database, api)
    session = await sign_in(api)
    assert (await api.delete(f"{REQUEST_CONFIRMATION}/{token}")).status_code == 204
    assert (await api.get("/api/v1/users/me", headers=session)).status_code == 401
    await run_jobs()
    assert await database.fetchval("select count(*) from users") == 0
    assert (await api.delete(f"{REQUEST_CONFIRMATION}/{token}")).status_code == 410


async def test_link_to_a_deleted_account_confirms_nothing(
    api: httpx.AsyncClient, database: Database
) -> None:
    token = await token_for(database, api)
    await database.execute("update users set deleted_at = now()")
    assert (await confirm(api, token)).status_code == 410
    assert (await api.delete(f"{REQUEST_CONFIRMATION}/{token}")).status_code == 410
