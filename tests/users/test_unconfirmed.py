"""Nothing is done for or of an address before it is confirmed, and it gets few emails."""

from __future__ import annotations

import re
from collections import Counter

import httpx
import pytest

from app.embedded.inbox import Inbox
from app.postgres.database import Database
from app.resources import Resources
from tests.friends.test_emails import befriend, record
from tests.support.people import Person, person
from tests.support.schedules import run_schedule
from tests.support.working import RunJobs
from tests.users.people import PASSWORD, sign_in, signed_in

REQUESTS = "/api/v1/friends/requests"
USERS = "/api/v1/users"


@pytest.fixture
async def grace(database: Database) -> Person:
    return await person(database, "grace")


@pytest.fixture
async def squatter(database: Database) -> Person:
    """Somebody who has signed up with an address and not confirmed it."""
    return await person(database, "friend", confirmed=False)


async def delete_account(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await api.request(
        "DELETE", f"{USERS}/me", json={"password": PASSWORD}, headers=headers
    )
    assert answer.status_code == 204


async def test_unconfirmed_account_neither_sees_answers_nor_sends_friend_requests(
    api: httpx.AsyncClient, grace: Person, squatter: Person
) -> None:
    asked = await api.post(REQUESTS, json={"email": squatter.email}, headers=grace.headers)
    path = f"{REQUESTS}/{asked.json()['id']}"
    answers = [
        await api.get(REQUESTS, headers=squatter.headers),
        await api.get(f"{REQUESTS}?direction=sent", headers=squatter.headers),
        await api.post(f"{path}/accept", headers=squatter.headers),
        await api.post(f"{path}/decline", headers=squatter.headers),
        await api.post(REQUESTS, json={"email": grace.email}, headers=squatter.headers),
        await api.put(f"/api/v1/blocks/{grace.id}", headers=squatter.headers),
    ]
    assert [403] * 6 == [answer.status_code for answer in answers]
    assert all(
        answer.json()["detail"].startswith("Confirm your email address first") for answer in answers
    )
    assert not any("grace" in answer.text for answer in answers)
    friends = await api.get("/api/v1/friends", headers=grace.headers)
    assert friends.json()["items"] == []


async def test_unconfirmed_account_can_record_export_and_ask_for_another_confirmation(
    api: httpx.AsyncClient, squatter: Person
) -> None:
    await record(api, squatter)
    export = {"format": "csv"}
    answers = [
        await api.get("/api/v1/activities", headers=squatter.headers),
        await api.post("/api/v1/export/request", json=export, headers=squatter.headers),
        await api.post(f"{USERS}/confirm", headers=squatter.headers),
    ]
    assert [200, 202, 202] == [answer.status_code for answer in answers]


async def test_requests_and_friendships_of_an_unconfirmed_account_are_hidden_from_others(
    api: httpx.AsyncClient,
    database: Database,
    inbox: Inbox,
    run_jobs: RunJobs,
    grace: Person,
    squatter: Person,
) -> None:
    """Accounts made before this rule may have both."""
    await database.execute(
        "insert into friend_requests (requester_id, email) values ($1, $2)",
        squatter.id,
        grace.email,
    )
    waiting = await api.get(REQUESTS, headers=grace.headers)
    assert waiting.json()["items"] == []

    await befriend(database, grace.id, squatter.id)
    friends = await api.get("/api/v1/friends", headers=grace.headers)
    assert friends.json()["items"] == []
    await record(api, squatter, notes="Payroll: a new form at evil.example")
    await run_jobs()
    assert inbox.emails() == []


async def test_confirming_the_address_shows_the_requests_that_were_sent_to_it(
    api: httpx.AsyncClient, database: Database, grace: Person, squatter: Person
) -> None:
    asked = await api.post(REQUESTS, json={"email": squatter.email}, headers=grace.headers)
    await database.execute("update users set confirmed_at = now()")
    waiting = await api.get(REQUESTS, headers=squatter.headers)
    assert [asked.json()["id"]] == [request["id"] for request in waiting.json()["items"]]


async def test_exports_of_an_unconfirmed_account_run_and_send_no_email(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs, squatter: Person
) -> None:
    for _ in range(3):
        export = {"format": "csv"}
        asked = await api.post("/api/v1/export/request", json=export, headers=squatter.headers)
        assert asked.status_code == 202
        await run_jobs()
    assert inbox.emails() == []
    states = await database.fetch("select state, note from jobs where kind = 'email:export_ready'")
    assert [("done", "the address is not confirmed")] * 3 == [tuple(row) for row in states]
    assert 0 == await database.fetchval("select count(*) from emails")


async def test_unconfirmed_address_gets_five_emails_a_day_and_the_last_is_a_password_reset(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    """Deleting the account and signing up again starts no new count."""
    for _ in range(7):
        headers = await signed_in(api)
        await run_jobs()
        await delete_account(api, headers)
        await run_jobs()
        if len(inbox.emails()) == 4:
            break
    assert len(inbox.emails()) == 4
    headers = await signed_in(api)
    assert (await api.post(f"{USERS}/confirm", headers=headers)).status_code == 202
    for _ in range(3):
        reset = await api.post("/api/v1/password-resets", json={"email": "KIM@example.com"})
        assert reset.status_code == 202
    await run_jobs(may_fail=True)

    sent = Counter(email.subject for email in inbox.emails())
    assert sent == {
        "Welcome to ActiveLog: confirm your email address": 4,
        "Reset your ActiveLog password": 1,
    }
    waiting = await database.fetch("select state, error from jobs where state = 'snoozed'")
    assert 4 == len(waiting)
    reason = "the address is not confirmed, and has had its emails for today"
    assert {reason} == {row["error"] for row in waiting}


async def test_one_unconfirmed_account_causes_five_emails_to_its_address_and_none_to_others(
    api: httpx.AsyncClient, inbox: Inbox, run_jobs: RunJobs, grace: Person
) -> None:
    """Whatever it requests within a day."""
    headers = await signed_in(api)
    for _ in range(4):
        await api.post(f"{USERS}/confirm", headers=headers)
        await api.post("/api/v1/password-resets", json={"email": "kim@example.com"})
        await api.post("/api/v1/export/request", json={"format": "csv"}, headers=headers)
        await api.post(REQUESTS, json={"email": grace.email}, headers=headers)
        await api.patch(f"{USERS}/me", json={"name": "Kim Lee"}, headers=headers)
        await run_jobs(may_fail=True)
    recipients = Counter(address for email in inbox.emails() for address in email.to)
    assert recipients == {"kim@example.com": 5}


async def test_next_day_an_unconfirmed_address_gets_emails_again(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await database.execute(
        "insert into unconfirmed_emails (address, message_id, created_at)"
        " select 'kim@example.com', n::text, now() - interval '20 hours'"
        " from generate_series(1, 4) as n"
    )
    await signed_in(api)
    await run_jobs(may_fail=True)
    assert inbox.emails() == []
    await database.execute("update unconfirmed_emails set created_at = now() - interval '1 day'")
    await make_snoozed_jobs_due(database)
    await run_jobs()
    assert len(inbox.emails()) == 1


async def make_snoozed_jobs_due(database: Database) -> None:
    await database.execute("update jobs set run_at = now() where state = 'snoozed'")


async def test_confirmed_address_is_not_counted(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    await signed_in(api)
    await database.execute("update users set confirmed_at = now()")
    for _ in range(3):
        await api.post("/api/v1/password-resets", json={"email": "kim@example.com"})
    await run_jobs()
    assert len(inbox.emails()) == 4
    assert 0 == await database.fetchval("select count(*) from unconfirmed_emails")


async def age(database: Database, days: float) -> None:
    """Let the welcome emails have been accepted this many days ago, and the accounts be as old."""
    await database.execute(
        "update users set unconfirmed_since = now() - $1 * interval '1 day' - interval '1 minute'",
        days,
    )
    await database.execute("update emails set sent_at = now() - $1 * interval '1 day'", days)


async def test_unconfirmed_account_is_reminded_on_day_5_and_erased_after_7_days(
    api: httpx.AsyncClient,
    resources: Resources,
    database: Database,
    inbox: Inbox,
    run_jobs: RunJobs,
) -> None:
    headers = await signed_in(api)
    await run_jobs()
    me = (await api.get(f"{USERS}/me", headers=headers)).json()
    sent_at = await database.fetchval("select sent_at + interval '7 days' from emails")
    assert me["erase_at"] == sent_at.isoformat().replace("+00:00", "Z")
    inbox.clear()
    for days, reminders, users in ((4.9, 0, 1), (5.1, 1, 1), (6.9, 1, 1), (7.1, 1, 0)):
        await age(database, days)
        await run_schedule(resources, "cleanup:daily")
        await run_jobs()
        assert (len(inbox.emails()), await count_users(database)) == (reminders, users), days
    (reminder,) = inbox.emails()
    assert reminder.subject == "Confirm your email address to keep your ActiveLog account"
    assert (await api.get(f"{USERS}/me", headers=headers)).status_code == 401


async def count_users(database: Database) -> int:
    return int(await database.fetchval("select count(*) from users"))


async def test_link_in_the_reminder_confirms_the_address_and_the_account_stays(
    api: httpx.AsyncClient,
    resources: Resources,
    database: Database,
    inbox: Inbox,
    run_jobs: RunJobs,
) -> None:
    await signed_in(api)
    await run_jobs()
    await age(database, 6)
    await run_schedule(resources, "cleanup:daily")
    await run_jobs()
    (token,) = re.findall(r"/confirm/(\S+)", str(inbox.emails()[0].text))
    confirmed = await api.post(f"{USERS}/confirm/{token}", json={"password": PASSWORD})
    assert confirmed.status_code == 204
    await age(database, 8)
    await run_schedule(resources, "cleanup:daily")
    assert await count_users(database) == 1
    me = await api.get(f"{USERS}/me", headers=await sign_in(api))
    assert me.json()["erase_at"] is None


async def test_account_whose_confirmation_email_was_never_accepted_is_not_erased(
    api: httpx.AsyncClient, resources: Resources, database: Database
) -> None:
    await signed_in(api)
    await age(database, 400)
    await run_schedule(resources, "cleanup:daily")
    assert await database.fetchval("select count(*) from users where deleted_at is null") == 1


async def test_account_from_before_the_upgrade_is_not_erased_within_7_days_of_it(
    api: httpx.AsyncClient, resources: Resources, database: Database, run_jobs: RunJobs
) -> None:
    """The migration sets `unconfirmed_since` of existing accounts to its own time."""
    await signed_in(api)
    await run_jobs()
    await database.execute("update emails set sent_at = now() - interval '1 year'")
    for since, users in (("6.9 days", 1), ("7.1 days", 0)):
        await database.execute(
            "update users set unconfirmed_since = now() - $1::text::interval", since
        )
        await run_schedule(resources, "cleanup:daily")
        await run_jobs()
        assert await count_users(database) == users


async def test_erasing_an_unconfirmed_account_keeps_the_requests_to_its_address(
    api: httpx.AsyncClient, database: Database, run_jobs: RunJobs, grace: Person
) -> None:
    headers = await signed_in(api)
    await api.post(REQUESTS, json={"email": "kim@example.com"}, headers=grace.headers)
    await delete_account(api, headers)
    await run_jobs()
    assert await database.fetchval("select count(*) from friend_requests") == 1
