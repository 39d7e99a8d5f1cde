"""Activities, friends, settings and forgotten passwords in a browser without scripts."""

from __future__ import annotations

import httpx
import pytest

from app.postgres.database import Database
from tests.pages.browsing import form, redirect_path, sign_in_as, sign_up, submit, text_of
from tests.support.moments import at
from tests.support.people import person
from tests.support.wall_clock import WallClock
from tests.support.working import RunJobs
from tests.users.people import PASSWORD

NASTY = '<script>alert("1")</script> & \'"><b>'


async def test_activity_is_recorded_listed_counted_and_deleted(
    browser: httpx.AsyncClient, wall_clock: WallClock
) -> None:
    wall_clock.fixed_at = now = at("2026-11-29 23:59")
    await sign_up(browser)
    empty = await browser.get("/activities")
    assert "No activities yet" in text_of(empty)
    recorded = await submit(
        browser,
        empty,
        "/activities",
        type="ride",
        started=f"{now:%Y-%m-%dT%H:%M}",
        minutes="95",
        kilometres="31.5",
        notes=NASTY,
    )
    assert (recorded.status_code, redirect_path(recorded)) == (303, "/activities")
    page = await browser.get("/activities")
    text = text_of(page)
    assert "Activity saved." in text
    assert "This week 1 activity Distance 31.5 km Time 1 h 35 min" in text
    assert f'<time datetime="{now:%Y-%m-%dT%H:%M}:00Z"' in page.text
    assert NASTY not in page.text
    assert NASTY in text
    assert "Activity saved." not in text_of(await browser.get("/activities"))

    deleted = await submit(browser, page, "/delete")
    assert redirect_path(deleted) == "/activities"
    assert "No activities yet" in text_of(await browser.get("/activities"))


async def test_instant_submitted_by_the_script_is_stored_as_the_start(
    browser: httpx.AsyncClient, database: Database, wall_clock: WallClock
) -> None:
    wall_clock.fixed_at = at("2026-11-20 13:00")
    await sign_up(browser)
    fields = {"started": "2026-11-20T07:30", "minutes": "30", "instant": "2026-11-20T12:30:00.000Z"}
    await submit(browser, await browser.get("/activities"), "/activities", **fields)
    started_at = await database.fetchval("select started_at from activities")
    assert at("2026-11-20 12:30") == started_at


@pytest.mark.parametrize(
    ("instant", "minutes"),
    [
        ("2026-11-20T12:30:00.000Z", -300),
        ("2026-11-20T02:00:00.000Z", 330),
        ("2026-11-20T07:30:00.000Z", 0),
        ("2026-11-19T07:30:00.000Z", None),  # no time zone is 24 hours ahead of UTC
        ("", None),
    ],
)
async def test_utc_offset_of_the_browser_is_stored(
    browser: httpx.AsyncClient,
    database: Database,
    wall_clock: WallClock,
    instant: str,
    minutes: int | None,
) -> None:
    wall_clock.fixed_at = at("2026-11-20 13:00")
    await sign_up(browser)
    fields = {"started": "2026-11-20T07:30", "minutes": "30", "instant": instant}

    await submit(browser, await browser.get("/activities"), "/activities", **fields)

    rows = await database.fetch("select utc_offset_minutes from activities")
    assert [row["utc_offset_minutes"] for row in rows] == [minutes]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("minutes", "half an hour", "Enter whole minutes"),
        ("minutes", "", "Please fill this in."),
        ("kilometres", "far", "Enter kilometres"),
        ("started", "yesterday", "Enter a date and a time."),
        ("started", "1969-12-31T10:00", "cannot start before 1970"),
        ("started", "2026-02-31T10:00", "This date or time does not exist."),
        ("type", "nap", "Invalid"),
    ],
)
async def test_invalid_activity_form_is_shown_again_with_the_error(
    browser: httpx.AsyncClient, database: Database, field: str, value: str, text: str
) -> None:
    await sign_up(browser)
    fields = {"started": "2026-11-20T07:30", "minutes": "30", "notes": "kept", field: value}
    response = await submit(browser, await browser.get("/activities"), "/activities", **fields)
    assert response.status_code == 400
    assert text in text_of(response)
    assert ">kept</textarea>" in response.text
    assert 0 == await database.fetchval("select count(*) from activities")


async def test_activities_are_paged(browser: httpx.AsyncClient, database: Database) -> None:
    await sign_up(browser)
    await database.execute(
        """insert into activities (user_id, type, started_at, duration_s)
        select id, 'run', timestamptz '2026-01-01' + n * interval '1 hour', 60
        from users, generate_series(1, 61) as n"""
    )
    counts, url = [], "/activities"
    while url:
        response = await browser.get(url)
        counts.append(response.text.count("/delete"))
        following = response.text.partition(">Older<")[0].rpartition('href="')[2].rstrip('"')
        url = following if following.startswith("/activities?after=") else ""
    assert [30, 30, 1] == counts


async def test_friend_requests_are_sent_accepted_and_declined_and_a_friendship_is_ended(
    browser: httpx.AsyncClient, database: Database
) -> None:
    sam, kim, ann = [await person(database, name) for name in ("sam", "kim", "ann")]
    await database.execute("update users set name = $1 where id = $2", NASTY, sam.id)
    for requester in (sam, ann):
        sign_in_as(browser, requester)
        response = await submit(browser, await browser.get("/friends"), "/friends", email=kim.email)
        assert redirect_path(response) == "/friends"
        assert f"Request sent to {kim.email}" in text_of(await browser.get("/friends"))
    sign_in_as(browser, kim)
    waiting = await browser.get("/friends")
    assert NASTY in text_of(waiting)
    assert NASTY not in waiting.text
    requests = await database.fetch("select id, requester_id from friend_requests")
    by_person = {row["requester_id"]: row["id"] for row in requests}
    await submit(browser, waiting, f"{by_person[sam.id]}/accept")
    await submit(browser, waiting, f"{by_person[ann.id]}/decline")

    friends = await browser.get("/friends")
    assert "Friend requests" not in text_of(friends)
    assert f"{sam.id}/end" in friends.text
    assert f"{ann.id}/end" not in friends.text
    again = await submit(browser, waiting, f"{by_person[ann.id]}/accept")
    assert again.status_code == 404

    await submit(browser, friends, f"{sam.id}/end")
    assert "No friends yet" in text_of(await browser.get("/friends"))


async def test_sent_request_is_withdrawn_and_people_are_blocked_and_unblocked(
    browser: httpx.AsyncClient, database: Database
) -> None:
    sam, kim = [await person(database, name) for name in ("sam", "kim")]
    sign_in_as(browser, kim)
    page = await browser.get("/friends")
    await submit(browser, page, "/friends", email="nobody@example.com")
    page = await browser.get("/friends")
    await submit(browser, page, "/withdraw")
    assert "Request withdrawn." in text_of(await browser.get("/friends"))
    assert "nobody@example.com" not in text_of(await browser.get("/friends"))

    sign_in_as(browser, sam)
    await submit(browser, await browser.get("/friends"), "/friends", email=kim.email)
    sign_in_as(browser, kim)
    page = await browser.get("/friends")
    assert "sam@example.com" in text_of(page)
    await submit(browser, page, f"{sam.id}/block")
    page = await browser.get("/friends")
    assert "Friend requests" not in text_of(page)
    await submit(browser, page, f"{sam.id}/unblock")
    assert "Friend requests" in text_of(await browser.get("/friends"))


async def test_friends_page_of_an_unconfirmed_user_shows_no_requests_and_sends_none(
    browser: httpx.AsyncClient, database: Database
) -> None:
    sam = await person(database, "sam")
    sign_in_as(browser, sam)
    page = await browser.get("/friends")
    await submit(browser, page, "/friends", email="kim@example.com")
    fields = {**form(page, "/friends").fields, "email": "ann@example.com"}
    await database.execute("update users set confirmed_at = null")
    refused = await browser.post("/friends", data=fields)
    assert refused.status_code == 403
    sign_in_as(browser, await person(database, "kim", confirmed=False))
    page = await browser.get("/friends")
    assert page.status_code == 200
    assert "Please confirm your email address." in text_of(page)
    assert "sam" not in text_of(page)
    assert await database.fetchval("select count(*) from friend_requests") == 1


async def test_friend_request_to_oneself_is_refused(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await database.execute("update users set confirmed_at = now()")
    response = await submit(
        browser, await browser.get("/friends"), "/friends", email="kim@example.com"
    )
    assert response.status_code == 400
    assert "You cannot add yourself as a friend." in text_of(response)


async def test_name_and_email_preferences_are_saved(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    page = await browser.get("/settings")
    await submit(browser, page, "/settings/name", name="Kim Lee")
    emails = form(page, "/settings/emails").fields
    assert {"weekly_summary", "monthly_report", "friend_activity"} < set(emails)
    del emails["weekly_summary"]
    await browser.post("/settings/emails", data=emails)
    page = await browser.get("/settings")
    assert form(page, "/settings/name").fields["name"] == "Kim Lee"
    assert "weekly_summary" not in form(page, "/settings/emails").fields
    assert "friend_activity" in form(page, "/settings/emails").fields


async def test_changing_the_password_ends_all_sessions_and_opens_a_new_session(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    stolen = browser.cookies["__Host-session"]
    page = await browser.get("/settings")
    wrong = {"current_password": "not this one", "password": "a longer walk on the beach"}
    refused = await submit(browser, page, "/settings/password", **wrong)
    assert refused.status_code == 403
    assert "Wrong password." in text_of(refused)

    right = {**wrong, "current_password": PASSWORD}
    changed = await submit(browser, page, "/settings/password", **right)
    assert redirect_path(changed) == "/settings"
    assert (await browser.get("/settings")).status_code == 200
    browser.cookies.clear()
    browser.cookies.set("__Host-session", stolen)
    assert (await browser.get("/settings")).status_code == 303


async def test_deleting_the_account_requires_the_password(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    page = await browser.get("/settings")
    refused = await submit(browser, page, "/settings/leave", own_password="not this one")
    assert refused.status_code == 403
    left = await submit(browser, page, "/settings/leave", own_password=PASSWORD)
    assert redirect_path(left) == "/"
    assert "Account deleted." in text_of(await browser.get("/"))
    assert 0 == await database.fetchval("select count(*) from sessions")
    assert await database.fetchval("select deleted_at from users") is not None


async def test_confirmation_email_can_be_requested_until_the_address_is_confirmed(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    page = await browser.get("/activities")
    await submit(browser, page, "/settings/confirmation")
    assert "We are sending another email to kim@example.com." in text_of(
        await browser.get("/settings")
    )
    kinds = await database.fetch("select kind from jobs order by kind")
    assert [row["kind"] for row in kinds] == ["email:confirmation", "email:welcome"]
    await database.execute("update users set confirmed_at = now()")
    refused_resend = await submit(browser, page, "/settings/confirmation")
    assert refused_resend.status_code == 409
    assert "Your address is already confirmed." in text_of(refused_resend)


async def test_pages_ask_the_user_to_confirm_an_unconfirmed_address(
    browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await sign_up(browser)
    for path in ("/activities", "/exports", "/settings"):
        assert "Please confirm your email address." in text_of(await browser.get(path))
    assert "will be erased" not in text_of(await browser.get("/settings"))
    await run_jobs()
    assert "your account will be erased after" in text_of(await browser.get("/settings"))
    await database.execute("update users set confirmed_at = now()")
    for path in ("/activities", "/exports", "/settings"):
        assert "Please confirm your email address." not in text_of(await browser.get(path))


async def test_reset_request_does_not_reveal_who_has_an_account(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    browser.cookies.clear()
    texts = []
    for email in ("kim@example.com", "nobody@example.com"):
        response = await submit(browser, await browser.get("/forgotten"), "/forgotten", email=email)
        texts.append(text_of(response).replace(email, "it"))
    assert texts[0] == texts[1]
    assert "If it has an account" in texts[0]
