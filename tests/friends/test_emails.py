"""Emails that friends cause, from the request to the inbox."""

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


async def confirmed(database: Database, name: str) -> Person:
    somebody = await person(database, name)
    await database.execute("update users set confirmed_at = now() where id = $1", somebody.id)
    return somebody


async def befriend(database: Database, one: UserId, other: UserId) -> None:
    await database.execute(
        "insert into friends (user_id, friend_id, since)"
        " values ($1, $2, now() - interval '1 year'), ($2, $1, now() - interval '1 year')",
        one,
        other,
    )


async def opt_out(api: httpx.AsyncClient, who: Person) -> None:
    changes = {"preferences": {"friend_activity": False}}
    await api.patch("/api/v1/users/me", json=changes, headers=who.headers)


async def record(api: httpx.AsyncClient, who: Person, **changes: Any) -> str:
    entry = {
        "type": "run",
        "started_at": datetime.now(UTC).isoformat(),
        "duration_s": 2700,
        "distance_m": 8200,
        **changes,
    }
    answer = await api.post("/api/v1/activities", json=entry, headers=who.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def an_hour_passes(database: Database) -> None:
    await database.execute("update jobs set run_at = now() where state = 'queued'")


async def test_who_is_asked_is_told_once(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await confirmed(database, "ada"), await confirmed(database, "sam")
    for _ in range(2):
        await api.post(REQUESTS, json={"email": "SAM@example.com"}, headers=ada.headers)
        await run_jobs()
    (email,) = inbox.emails()
    assert email.to == (sam.email,)
    assert email.subject == "ada would like to be your friend on ActiveLog"
    assert "Hello sam, friends get emails" in str(email.text)
    assert email.message["List-Unsubscribe"] is None


async def test_nobody_else_is_told_and_the_answers_are_the_same(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed(database, "ada")
    await person(database, "unconfirmed")
    left = await confirmed(database, "left")
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


async def test_who_has_answered_before_the_letter_is_not_told(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await confirmed(database, "ada"), await confirmed(database, "sam")
    asked = await api.post(REQUESTS, json={"email": sam.email}, headers=ada.headers)
    await api.post(f"{REQUESTS}/{asked.json()['id']}/decline", headers=sam.headers)
    await run_jobs()
    assert inbox.emails() == []


async def test_friends_are_told_at_once_and_then_hourly_of_all_that_came(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await confirmed(database, "ada"), await confirmed(database, "sam")
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

    await an_hour_passes(database)
    await run_jobs()
    second, _ = inbox.emails()
    assert second.subject == "ada recorded 2 activities"
    assert "swam 900 m in 45 min" in str(second.text)
    assert "was active for 50 s" in str(second.text)
    assert "ran 8.2 km" not in str(second.text)

    await an_hour_passes(database)
    await run_jobs()
    assert len(inbox.emails()) == 2
    assert 0 == await database.fetchval("select count(*) from jobs where state <> 'done'")


async def test_only_friends_who_want_to_be_told_are(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed(database, "ada")
    stranger = await confirmed(database, "stranger")
    unconfirmed, left, refuser = (
        await person(database, "unconfirmed"),
        await confirmed(database, "left"),
        await confirmed(database, "refuser"),
    )
    bounced = await confirmed(database, "bounced")
    await database.execute("insert into suppressions values ('bounced@example.com', 'no mailbox')")
    for friend in (unconfirmed, left, refuser, bounced):
        await befriend(database, ada.id, friend.id)
    await database.execute("update users set deleted_at = now() where id = $1", left.id)
    await api.patch(
        "/api/v1/users/me",
        json={"preferences": {"friend_activity": False}},
        headers=refuser.headers,
    )
    await record(api, ada)
    assert 0 == await database.fetchval("select count(*) from jobs")
    await befriend(database, ada.id, stranger.id)
    await record(api, ada)
    await api.patch(
        "/api/v1/users/me",
        json={"preferences": {"friend_activity": False}},
        headers=stranger.headers,
    )
    await run_jobs()
    assert inbox.emails() == []


async def test_the_past_the_deleted_and_what_came_before_the_friendship_is_no_news(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada, sam = await confirmed(database, "ada"), await confirmed(database, "sam")
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


async def test_every_friend_gets_one_letter_on_two_activities(
    api: httpx.AsyncClient, database: Database, inbox: Inbox, run_jobs: RunJobs
) -> None:
    ada = await confirmed(database, "ada")
    for number in range(30):
        friend = await confirmed(database, f"friend{number}")
        await befriend(database, ada.id, friend.id)
    await record(api, ada)
    await record(api, ada)
    assert 30 == await database.fetchval("select count(*) from jobs")
    await run_jobs()
    assert 30 == len({email.to for email in inbox.emails()})
    assert 30 == len(inbox.emails())
