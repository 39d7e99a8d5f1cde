"""Passwords: resetting a forgotten one by email, and changing a known one."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from app.embedded.inbox import Inbox
from app.postgres.database import Database
from app.users.passwords import MAX_RESET_EMAILS_PER_HOUR
from tests.support.moments import recently
from tests.support.working import RunJobs
from tests.users.people import PASSWORD, new_user, sign_in, sign_up, signed_in

RESETS = "/api/v1/password-resets"
NEW_PASSWORD = {"password": "a longer walk on the beach"}


async def request_reset(
    api: httpx.AsyncClient, email: str = "kim@example.com"
) -> tuple[int, bytes]:
    answer = await api.post(RESETS, json={"email": email})
    return answer.status_code, answer.content


@pytest.fixture
async def kim(api: httpx.AsyncClient, inbox: Inbox, run_jobs: RunJobs) -> None:
    """Create Kim's account, and remove the welcome email from the inbox."""
    await sign_up(api)
    await run_jobs()
    inbox.clear()


def token_in(inbox: Inbox) -> str:
    email = inbox.emails()[0]
    assert email.subject == "Reset your ActiveLog password"
    (token,) = re.findall(r"https://activelog\.example/reset/(\S+)", str(email.text))
    return str(token)


async def can_sign_in_with(api: httpx.AsyncClient, password: str) -> bool:
    answer = await api.post(
        "/api/v1/sessions", json={"email": "kim@example.com", "password": password}
    )
    return answer.status_code == 201


async def test_reset_link_sets_a_new_password_once_and_ends_all_sessions(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    session = await sign_in(api)
    await request_reset(api, "KIM@example.com")
    await run_jobs()
    token = token_in(inbox)
    assert (await api.get("/api/v1/users/me", headers=session)).status_code == 200
    assert (await api.post(f"{RESETS}/{token}", json=NEW_PASSWORD)).status_code == 204
    assert (await api.get("/api/v1/users/me", headers=session)).status_code == 401
    assert [True, False] == [
        await can_sign_in_with(api, NEW_PASSWORD["password"]),
        await can_sign_in_with(api, PASSWORD),
    ]
    assert (await api.post(f"{RESETS}/{token}", json=NEW_PASSWORD)).status_code == 410
    assert await database.fetchval("select confirmed_at is not null from users")


async def test_using_a_reset_link_invalidates_the_others(
    api: httpx.AsyncClient, kim: None, inbox: Inbox, run_jobs: RunJobs
) -> None:
    tokens = []
    for _ in range(2):
        await request_reset(api)
        await run_jobs()
        tokens.append(token_in(inbox))
    assert tokens[0] != tokens[1]
    assert (await api.post(f"{RESETS}/{tokens[1]}", json=NEW_PASSWORD)).status_code == 204
    assert (await api.post(f"{RESETS}/{tokens[0]}", json=NEW_PASSWORD)).status_code == 410


async def test_response_and_job_do_not_reveal_whether_the_address_has_an_account(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await database.execute("delete from jobs")
    assert await request_reset(api) == await request_reset(api, "nobody@example.com")
    assert (await request_reset(api))[0] == 202
    rows = await database.fetch(
        "select kind, user_id, (payload - 'request_id')::text as ids from jobs"
    )
    assert [("email:password_reset", None, "{}")] * 3 == [tuple(row) for row in rows]
    await run_jobs()
    assert {("kim@example.com",)} == {email.to for email in inbox.emails()}


async def test_reset_emails_per_address_are_limited_but_the_response_stays_the_same(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    answers = [await request_reset(api) for _ in range(MAX_RESET_EMAILS_PER_HOUR + 2)]
    assert answers == [answers[0]] * len(answers)
    await run_jobs()
    assert len(inbox.emails()) == MAX_RESET_EMAILS_PER_HOUR
    await database.execute("update reset_requests set created_at = now() - interval '61 minutes'")
    await request_reset(api)
    await run_jobs()
    assert len(inbox.emails()) == MAX_RESET_EMAILS_PER_HOUR + 1


async def test_reset_email_job_removes_old_reset_requests(
    api: httpx.AsyncClient, kim: None, database: Database, run_jobs: RunJobs
) -> None:
    await request_reset(api, "nobody@example.com")
    await database.execute("update reset_requests set created_at = now() - interval '3 hours'")
    await request_reset(api)
    await run_jobs()
    assert ["kim@example.com"] == [
        row["email"] for row in await database.fetch("select email from reset_requests")
    ]


async def test_reset_token_is_valid_for_an_hour(
    api: httpx.AsyncClient, kim: None, database: Database, run_jobs: RunJobs
) -> None:
    await request_reset(api)
    await run_jobs()
    assert timedelta(hours=1) == await database.fetchval(
        "select expires_at - created_at from account_tokens where purpose = 'reset'"
    )


async def test_invalid_tokens_and_passwords_change_nothing(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await request_reset(api)
    await run_jobs()
    token = token_in(inbox)
    assert (await api.post(f"{RESETS}/{token}", json={"password": "short"})).status_code == 400
    assert (await api.post(f"{RESETS}/unknown", json=NEW_PASSWORD)).status_code == 410
    assert (await api.post(RESETS, json={"email": "no address"})).status_code == 400
    await database.execute("update account_tokens set expires_at = now()")
    assert (await api.post(f"{RESETS}/{token}", json=NEW_PASSWORD)).status_code == 410
    assert await can_sign_in_with(api, PASSWORD)


async def test_deleted_account_gets_no_link_and_its_links_are_invalid(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await request_reset(api)
    await run_jobs()
    token = token_in(inbox)
    await database.execute("update users set deleted_at = now()")
    await request_reset(api)
    await run_jobs()
    assert len(inbox.emails()) == 1
    assert (await api.post(f"{RESETS}/{token}", json=NEW_PASSWORD)).status_code == 410


async def test_changing_the_password_requires_the_current_one_and_ends_all_sessions(
    api: httpx.AsyncClient,
) -> None:
    headers = await signed_in(api)
    others = await sign_in(api)
    path = "/api/v1/users/me/password"
    wrong = {"current_password": "another one", **NEW_PASSWORD}
    right = {"current_password": PASSWORD, **NEW_PASSWORD}
    short = {"current_password": PASSWORD, "password": "short"}
    assert (await api.put(path, json=wrong, headers=headers)).status_code == 403
    assert (await api.put(path, json=short, headers=headers)).status_code == 400
    assert (await api.put(path, json=right, headers=headers)).status_code == 204
    for session in (headers, others):
        assert (await api.get("/api/v1/users/me", headers=session)).status_code == 401
    assert [True, False] == [
        await can_sign_in_with(api, NEW_PASSWORD["password"]),
        await can_sign_in_with(api, PASSWORD),
    ]


async def test_new_password_must_follow_the_same_rules_as_at_sign_up(
    api: httpx.AsyncClient,
) -> None:
    refused = await api.post("/api/v1/users", json=new_user(password="short"))
    reset = await api.post(f"{RESETS}/any", json={"password": "short"})
    assert refused.json()["errors"] == reset.json()["errors"]


async def reset_token(api: httpx.AsyncClient, inbox: Inbox, run_jobs: RunJobs) -> str:
    await request_reset(api)
    await run_jobs()
    return token_in(inbox)


async def test_reset_of_an_unconfirmed_account_can_start_afresh(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    """Somebody else may have made the account: what they recorded and their sessions go."""
    session = await sign_in(api)
    run = {"type": "run", "started_at": recently(), "duration_s": 60}
    recorded = await api.post("/api/v1/activities", json=run, headers=session)
    assert recorded.status_code == 201
    token = await reset_token(api, inbox, run_jobs)
    fresh = {**NEW_PASSWORD, "start_afresh": True}
    assert (await api.post(f"{RESETS}/{token}", json=fresh)).status_code == 204
    assert (await api.get("/api/v1/users/me", headers=session)).status_code == 401
    assert not await can_sign_in_with(api, PASSWORD)
    assert await can_sign_in_with(api, NEW_PASSWORD["password"])
    await run_jobs()
    assert await database.fetchval("select count(*) from activities") == 0
    (account,) = await database.fetch("select email, name, confirmed_at from users")
    assert ("kim@example.com", "kim") == (account["email"], account["name"])
    assert account["confirmed_at"] is not None


async def test_reset_of_an_unconfirmed_account_keeps_what_it_holds_unless_asked(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    run = {"type": "run", "started_at": recently(), "duration_s": 60}
    await api.post("/api/v1/activities", json=run, headers=await sign_in(api))
    token = await reset_token(api, inbox, run_jobs)
    assert (await api.post(f"{RESETS}/{token}", json=NEW_PASSWORD)).status_code == 204
    await run_jobs()
    assert await database.fetchval("select count(*) from activities") == 1
    assert await database.fetchval("select confirmed_at is not null from users")


async def test_confirmed_account_cannot_start_afresh_and_its_link_still_works(
    api: httpx.AsyncClient, kim: None, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await database.execute("update users set confirmed_at = now()")
    token = await reset_token(api, inbox, run_jobs)
    fresh = {**NEW_PASSWORD, "start_afresh": True}
    refused = await api.post(f"{RESETS}/{token}", json=fresh)
    assert (refused.status_code, "cannot start afresh" in refused.text) == (409, True)
    assert await can_sign_in_with(api, PASSWORD)
    assert (await api.post(f"{RESETS}/{token}", json=NEW_PASSWORD)).status_code == 204
