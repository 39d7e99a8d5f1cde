"""Activities, friends and settings at a browser without scripts."""

from __future__ import annotations

import httpx
import pytest

from app.postgres.database import Database
from tests.pages.browsing import come_as, form, path_of, press, sign_up, words
from tests.support.moments import at
from tests.support.people import person
from tests.support.wall_clock import WallClock
from tests.users.people import PASSWORD

NASTY = '<script>alert("1")</script> & \'"><b>'


async def test_an_activity_is_recorded_seen_counted_and_deleted(
    browser: httpx.AsyncClient, wall_clock: WallClock
) -> None:
    wall_clock.stands_at = now = at("2026-11-29 23:59")
    await sign_up(browser)
    empty = await browser.get("/activities")
    assert "No activities yet" in words(empty)
    recorded = await press(
        browser,
        empty,
        "/activities",
        type="ride",
        started=f"{now:%Y-%m-%dT%H:%M}",
        minutes="95",
        kilometres="31.5",
        notes=NASTY,
    )
    assert (recorded.status_code, path_of(recorded)) == (303, "/activities")
    shown = await browser.get("/activities")
    said = words(shown)
    assert "Activity saved." in said
    assert "This week 1 activity Distance 31.5 km Time 1 h 35 min" in said
    assert f'<time datetime="{now:%Y-%m-%dT%H:%M}:00Z"' in shown.text
    assert NASTY not in shown.text
    assert NASTY in said
    assert "Activity saved." not in words(await browser.get("/activities"))

    deleted = await press(browser, shown, "/delete")
    assert path_of(deleted) == "/activities"
    assert "No activities yet" in words(await browser.get("/activities"))


async def test_a_script_tells_the_instant_that_the_clock_on_the_wall_means(
    browser: httpx.AsyncClient, database: Database, wall_clock: WallClock
) -> None:
    wall_clock.stands_at = at("2026-11-20 13:00")
    await sign_up(browser)
    fields = {"started": "2026-11-20T07:30", "minutes": "30", "instant": "2026-11-20T12:30:00.000Z"}
    await press(browser, await browser.get("/activities"), "/activities", **fields)
    started_at = await database.fetchval("select started_at from activities")
    assert at("2026-11-20 12:30") == started_at


@pytest.mark.parametrize(
    ("instant", "minutes"),
    [
        ("2026-11-20T12:30:00.000Z", -300),
        ("2026-11-20T02:00:00.000Z", 330),
        ("2026-11-20T07:30:00.000Z", 0),
        ("2026-11-19T07:30:00.000Z", None),  # no clock is a day ahead
        ("", None),
    ],
)
async def test_offset_of_the_reader_is_stored_when_the_script_tells_the_instant(
    browser: httpx.AsyncClient,
    database: Database,
    wall_clock: WallClock,
    instant: str,
    minutes: int | None,
) -> None:
    wall_clock.stands_at = at("2026-11-20 13:00")
    await sign_up(browser)
    fields = {"started": "2026-11-20T07:30", "minutes": "30", "instant": instant}

    await press(browser, await browser.get("/activities"), "/activities", **fields)

    rows = await database.fetch("select utc_offset_minutes from activities")
    assert [row["utc_offset_minutes"] for row in rows] == [minutes]


@pytest.mark.parametrize(
    ("field", "value", "said"),
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
async def test_a_wrong_activity_is_shown_again_with_the_reason(
    browser: httpx.AsyncClient, database: Database, field: str, value: str, said: str
) -> None:
    await sign_up(browser)
    fields = {"started": "2026-11-20T07:30", "minutes": "30", "notes": "kept", field: value}
    answer = await press(browser, await browser.get("/activities"), "/activities", **fields)
    assert answer.status_code == 400
    assert said in words(answer)
    assert ">kept</textarea>" in answer.text
    assert 0 == await database.fetchval("select count(*) from activities")


async def test_a_long_list_of_activities_goes_on(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    await database.execute(
        """insert into activities (user_id, type, started_at, duration_s)
        select id, 'run', timestamptz '2026-01-01' + n * interval '1 hour', 60
        from users, generate_series(1, 61) as n"""
    )
    seen, address = [], "/activities"
    while address:
        answer = await browser.get(address)
        seen.append(answer.text.count("/delete"))
        following = answer.text.partition(">Older<")[0].rpartition('href="')[2].rstrip('"')
        address = following if following.startswith("/activities?after=") else ""
    assert [30, 30, 1] == seen


async def test_a_request_is_answered_where_the_letter_leads(
    browser: httpx.AsyncClient, database: Database
) -> None:
    sam, kim, ann = [await person(database, name) for name in ("sam", "kim", "ann")]
    await database.execute("update users set name = $1 where id = $2", NASTY, sam.id)
    for asking in (sam, ann):
        come_as(browser, asking)
        asked = await press(browser, await browser.get("/friends"), "/friends", email=kim.email)
        assert path_of(asked) == "/friends"
        assert f"Request sent to {kim.email}" in words(await browser.get("/friends"))
    come_as(browser, kim)
    waiting = await browser.get("/friends")
    assert NASTY in words(waiting)
    assert NASTY not in waiting.text
    requests = await database.fetch("select id, requester_id from friend_requests")
    by_person = {row["requester_id"]: row["id"] for row in requests}
    await press(browser, waiting, f"{by_person[sam.id]}/accept")
    await press(browser, waiting, f"{by_person[ann.id]}/decline")

    friends = await browser.get("/friends")
    assert "Friend requests" not in words(friends)
    assert f"{sam.id}/end" in friends.text
    assert f"{ann.id}/end" not in friends.text
    again = await press(browser, waiting, f"{by_person[ann.id]}/accept")
    assert again.status_code == 404

    await press(browser, friends, f"{sam.id}/end")
    assert "No friends yet" in words(await browser.get("/friends"))


async def test_one_cannot_ask_oneself(browser: httpx.AsyncClient) -> None:
    await sign_up(browser)
    answer = await press(
        browser, await browser.get("/friends"), "/friends", email="kim@example.com"
    )
    assert answer.status_code == 400
    assert "You cannot add yourself as a friend." in words(answer)


async def test_a_name_and_a_choice_of_letters_are_kept(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    shown = await browser.get("/settings")
    await press(browser, shown, "/settings/name", name="Kim Lee")
    emails = form(shown, "/settings/emails").fields
    assert {"weekly_summary", "monthly_report", "friend_activity"} < set(emails)
    del emails["weekly_summary"]
    await browser.post("/settings/emails", data=emails)
    shown = await browser.get("/settings")
    assert form(shown, "/settings/name").fields["name"] == "Kim Lee"
    assert "weekly_summary" not in form(shown, "/settings/emails").fields
    assert "friend_activity" in form(shown, "/settings/emails").fields


async def test_a_new_password_keeps_this_session_and_ends_the_others(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    stolen = browser.cookies["__Host-session"]
    shown = await browser.get("/settings")
    wrong = {"current_password": "not this one", "password": "a longer walk on the beach"}
    refused = await press(browser, shown, "/settings/password", **wrong)
    assert refused.status_code == 403
    assert "Wrong password." in words(refused)

    right = {**wrong, "current_password": PASSWORD}
    changed = await press(browser, shown, "/settings/password", **right)
    assert path_of(changed) == "/settings"
    assert (await browser.get("/settings")).status_code == 200
    browser.cookies.clear()
    browser.cookies.set("__Host-session", stolen)
    assert (await browser.get("/settings")).status_code == 303


async def test_leaving_takes_the_password_and_ends_everything(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    shown = await browser.get("/settings")
    refused = await press(browser, shown, "/settings/leave", own_password="not this one")
    assert refused.status_code == 403
    left = await press(browser, shown, "/settings/leave", own_password=PASSWORD)
    assert path_of(left) == "/"
    assert "Account deleted." in words(await browser.get("/"))
    assert 0 == await database.fetchval("select count(*) from sessions")
    assert await database.fetchval("select deleted_at from users") is not None


async def test_a_lost_letter_is_sent_again_until_the_address_is_confirmed(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    pointed_out = await browser.get("/activities")
    await press(browser, pointed_out, "/settings/confirmation")
    assert "We are sending another email to kim@example.com." in words(
        await browser.get("/settings")
    )
    kinds = await database.fetch("select kind from jobs order by kind")
    assert [row["kind"] for row in kinds] == ["email:confirmation", "email:welcome"]
    await database.execute("update users set confirmed_at = now()")
    late = await press(browser, pointed_out, "/settings/confirmation")
    assert late.status_code == 409
    assert "Your address is already confirmed." in words(late)


async def test_an_unconfirmed_address_is_pointed_out(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    for path in ("/activities", "/exports", "/settings"):
        assert "Please confirm your email address." in words(await browser.get(path))
    await database.execute("update users set confirmed_at = now()")
    for path in ("/activities", "/exports", "/settings"):
        assert "Please confirm your email address." not in words(await browser.get(path))


async def test_a_forgotten_password_is_asked_for_without_telling_who_is_here(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(browser)
    browser.cookies.clear()
    said = []
    for email in ("kim@example.com", "nobody@example.com"):
        answer = await press(browser, await browser.get("/forgotten"), "/forgotten", email=email)
        said.append(words(answer).replace(email, "it"))
    assert said[0] == said[1]
    assert "If it has an account" in said[0]
