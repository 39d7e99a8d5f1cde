"""Emails about friend requests and friends' activities, from the request to the inbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app.embedded.inbox import Inbox
from app.postgres.database import Database
from app.users.user import UserId
from tests.support.people import Person, person
from tests.support.working import RunJobs

REQUESTS = "/api/v1/friends/requests"


async def befriend(database: Database, first: UserId, second: UserId) -> None:
    await database.execute(
        "insert into friends (user_id, friend_id, since)"
        " values ($1, $2, now() - interval '1 year'), ($2, $1, now() - interval '1 year')",
        first,
        second,
    )


async def opt_out(api: httpx.AsyncClient, user: Person) -> None:
    changes = {"preferences": {"friend_activity": False}}
    await api.patch("/api/v1/users/me", json=changes, headers=user.headers)


async def record(api: httpx.AsyncClient, user: Person, **changes: Any) -> str:
    entry = {
        "type": "run",
        "started_at": datetime.now(UTC).isoformat(),
        "duration_s": 2700,
        "distance_m": 8200,
        **changes,
    }
    answer = await api.post("/api/v1/activities", json=entry, headers=user.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def make_waiting_jobs_due(database: Database) -> None:
    await database.execute("update jobs set run_at = now() where state = 'queued'")


async def test_recipient_of_a_repeated_friend_request_gets_one_email(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await person(database, "ada"), await person(database, "sam")
    for _ in range(2):
        await api.post(REQUESTS, json={"email": "SAM@example.com"}, headers=ada.headers)
        await run_jobs()
    (email,) = inbox.emails()
    assert email.to == (sam.email,)
    assert email.subject == "ada would like to be your friend on ActiveLog"
    assert "Hello sam." in str(email.text)
    assert "The request comes from ada@example.com." in str(email.text)
    assert "unsubscribe/friend_requests." in email.message["List-Unsubscribe"]
    assert email.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_response_does_not_reveal_whether_the_address_can_get_email(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await person(database, "ada")
    await person(database, "unconfirmed", confirmed=False)
    left = await person(database, "left")
    await database.execute("update users set deleted_at = now() where id = $1", left.id)
    answers = [
        await api.post(REQUESTS, json={"email": f"{name}@example.com"}, headers=ada.headers)
        for name in ("unconfirmed", "left", "nobody")
    ]
    assert [(201, "pending")] * 3 == [(a.status_code, a.json()["status"]) for a in answers]
    assert 3 == await database.fetchval("select count(*) from jobs")
    await run_jobs()
    assert inbox.emails() == []
    assert 3 == await database.fetchval("select count(*) from jobs where state = 'done'")


async def test_no_email_is_sent_about_a_request_that_was_already_answered(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await person(database, "ada"), await person(database, "sam")
    requested = await api.post(REQUESTS, json={"email": sam.email}, headers=ada.headers)
    await api.post(f"{REQUESTS}/{requested.json()['id']}/decline", headers=sam.headers)
    await run_jobs()
    assert inbox.emails() == []


async def test_first_digest_is_sent_at_once_and_later_activities_wait_for_the_next_one(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await person(database, "ada"), await person(database, "sam")
    await befriend(database, ada.id, sam.id)
    await record(api, ada, notes="<b>Rain</b> & glad")
    await run_jobs()
    (first,) = inbox.emails()
    assert (first.to, first.subject) == ((sam.email,), "ada ran 8.2 km in 45 min")
    assert "&lt;b&gt;Rain&lt;/b&gt; &amp; glad" in str(first.html)
    assert "unsubscribe/friend_activity." in first.message["List-Unsubscribe"]

    await record(api, ada, type="swim", distance_m=900)
    await record(api, ada, type="other", distance_m=None, duration_s=50)
    await run_jobs()
    assert len(inbox.emails()) == 1

    await make_waiting_jobs_due(database)
    await run_jobs()
    second, _ = inbox.emails()
    assert second.subject == "ada recorded 2 activities"
    assert "swam 900 m in 45 min" in str(second.text)
    assert "was active for 50 s" in str(second.text)
    assert "ran 8.2 km" not in str(second.text)

    await make_waiting_jobs_due(database)
    await run_jobs()
    assert len(inbox.emails()) == 2
    assert 0 == await database.fetchval("select count(*) from jobs where state <> 'done'")


async def test_friends_who_opted_out_or_cannot_get_email_are_not_emailed(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await person(database, "ada")
    new_friend = await person(database, "new_friend")
    unconfirmed, left, opted_out = (
        await person(database, "unconfirmed", confirmed=False),
        await person(database, "left"),
        await person(database, "opted_out"),
    )
    bounced = await person(database, "bounced")
    await database.execute("insert into suppressions values ('bounced@example.com', 'no mailbox')")
    for friend in (unconfirmed, left, opted_out, bounced):
        await befriend(database, ada.id, friend.id)
    await database.execute("update users set deleted_at = now() where id = $1", left.id)
    await opt_out(api, opted_out)
    await record(api, ada)
    assert 0 == await database.fetchval("select count(*) from jobs")
    await befriend(database, ada.id, new_friend.id)
    await record(api, ada)
    await opt_out(api, new_friend)
    await run_jobs()
    assert inbox.emails() == []


async def test_activities_that_are_old_deleted_or_from_before_the_friendship_are_not_emailed(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await person(database, "ada"), await person(database, "sam")
    await befriend(database, ada.id, sam.id)
    long_ago = datetime.now(UTC) - timedelta(days=8)
    await record(api, ada, notes="long ago", started_at=long_ago.isoformat())
    assert 0 == await database.fetchval("select count(*) from jobs")
    await record(api, ada, notes="before")
    assert 1 == await database.fetchval("select count(*) from news")
    await database.execute("update friends set since = now()")
    deleted = await record(api, ada, notes="deleted")
    await api.delete(f"/api/v1/activities/{deleted}", headers=ada.headers)
    await run_jobs()
    assert inbox.emails() == []
    await record(api, ada, notes="now")
    await run_jobs()
    (email,) = inbox.emails()
    assert email.subject == "ada ran 8.2 km in 45 min"
    assert '"now"' in str(email.text)


async def test_every_friend_gets_one_email_about_two_activities(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await person(database, "ada")
    for number in range(30):
        friend = await person(database, f"friend{number}")
        await befriend(database, ada.id, friend.id)
    await record(api, ada)
    await record(api, ada)
    assert 30 == await database.fetchval("select count(*) from jobs")
    await run_jobs()
    assert 30 == len({email.to for email in inbox.emails()})
    assert 30 == len(inbox.emails())
