"""The users' pages: accessible when empty and with a lot of data, and updated live."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import BrowserContext, Page, expect

from app.email.subscriptions import unsubscribe_token
from app.pages.session import session_cookie_name
from app.resources import Resources
from app.users.email_links import issue_token
from tests.browser.accessibility import assert_page_is_accessible
from tests.browser.conftest import Site
from tests.browser.page_errors import PageErrors
from tests.support.people import Person, person

LONG_NAME = "Wolkenstein-Rodenegg-von-und-zu-" + "x" * 60
"""A name wider than any phone's screen."""


@pytest.fixture
async def kim(context: BrowserContext, site: Site, resources: Resources) -> Person:
    """A user who is signed in with the browser."""
    kim = await person(resources.database, "kim")
    name = session_cookie_name(resources.settings)
    await context.add_cookies(
        [{"name": name, "value": kim.token, "url": site.url.replace("http:", "https:")}]
    )
    return kim


@pytest.mark.parametrize("path", ["/activities", "/reports", "/exports", "/friends", "/settings"])
async def test_page_of_a_new_user_is_accessible(page: Page, kim: Person, path: str) -> None:
    await page.goto(path)
    await assert_page_is_accessible(page, f"new{path.replace('/', '-')}")


@pytest.mark.parametrize("path", ["/activities", "/reports", "/exports", "/friends", "/settings"])
async def test_page_with_a_lot_of_data_is_accessible(
    page: Page, resources: Resources, kim: Person, path: str
) -> None:
    sam, *_ = [await person(resources.database, name) for name in ("sam", "ann", "joe")]
    await resources.database.execute("update users set name = $1 where id = $2", LONG_NAME, sam.id)
    for statement in (*FRIENDS, *HISTORY):
        await resources.database.execute(statement, kim.id)
    await page.goto(path)
    await assert_page_is_accessible(page, f"full{path.replace('/', '-')}")


FRIENDS = (
    "insert into friends (user_id, friend_id) select $1, id from users where email like 'ann%'",
    """insert into friend_requests (requester_id, email)
    select id, 'kim@example.com' from users where email like 'sam%' and id <> $1""",
    """insert into friend_requests (requester_id, email)
    select $1, repeat('long', 12) || n || '@example.com' from generate_series(1, 2) as n""",
    "insert into blocks (user_id, blocked_id) select $1, id from users where email like 'joe%'",
)
HISTORY = (
    "update users set confirmed_at = now() where id = $1",
    """insert into activities (user_id, type, started_at, duration_s, distance_m, calories, notes)
    select $1, (array['run', 'ride', 'swim', 'walk', 'hike', 'other'])[1 + n % 6],
        now() - n * interval '7 hours', 600 * n, case when n % 6 < 5 then 1234.5 * n end,
        case when n % 2 = 0 then 31 * n end,
        case n % 4 when 1 then 'Rain, and a dog. ' || repeat('On and on. ', 20)
            when 3 then 'https://example.com/' || repeat('route', 30) end
    from generate_series(1, 31) as n""",
    """insert into reports (user_id, month, size_bytes, sha256)
    select $1, date '2024-10-01' + n * interval '1 month', 60000 + n * 1234, repeat('a', 64)
    from generate_series(0, 25) as n""",
    """insert into exports (user_id, format, open, error)
    select $1, 'csv', false, 'It could not be created. Try again.' from generate_series(1, 19)
    """,
    """insert into exports (user_id, format, first_day, last_day, type, open, row_count, size_bytes,
        sha256, etag, completed_at, expires_at)
    select $1, 'pdf', '2026-01-01', '2026-12-31', 'other', false, 1234567, 66123456,
        repeat('a', 64), 'e', now(), now() + n * interval '1 day'
    from unnest(array[-1, 7]) as n""",
    """with job as (
        insert into jobs (kind, queue, payload, state, worker_id, token, started_at, progress)
        values ('export:generate', 'low', '{}', 'running', uuidv7(), uuidv7(), now(),
            '{"done": 1204000, "total": 5000000}')
        returning id
    )
    insert into exports (user_id, format, job_id) select $1, 'csv', id from job""",
    """with job as (
        insert into jobs (kind, queue, payload) values ('export:generate', 'low', '{}') returning id
    )
    insert into exports (user_id, format, type, first_day, job_id)
    select $1, 'pdf', 'run', '2026-01-01', id from job""",
)


async def test_export_updates_live_from_pending_to_failed(
    page: Page, resources: Resources, kim: Person
) -> None:
    """The page is not reloaded, and the form keeps what has been entered."""
    database = resources.database
    await page.goto("/exports")
    await page.get_by_role("button", name="Create export").click()
    line = page.get_by_role("listitem").filter(has_text="All activities as CSV")
    await expect(line.get_by_text("Pending")).to_be_visible()
    await page.get_by_label("Activities", exact=True).select_option(label="Swims")
    await page.evaluate("window.loadedOnce = true")

    await database.execute(
        """update jobs set state = 'running', worker_id = uuidv7(), token = uuidv7(),
            started_at = now(), progress = '{"done": 0, "total": 4000}'"""
    )
    await expect(line.get_by_text("0 of 4,000 rows")).to_be_visible()
    await database.execute("""update jobs set progress = '{"done": 3000, "total": 4000}'""")
    await expect(line.get_by_text("3,000 of 4,000 rows")).to_be_visible()
    await expect(line.get_by_role("progressbar")).to_have_js_property("value", 3000)

    await database.execute(
        """update jobs
        set state = 'dead', finished_at = now(), error = 'No bucket.', fingerprint = 'f'"""
    )
    await expect(line.get_by_text("Failed", exact=True)).to_be_visible()
    await expect(line.get_by_role("button", name="Request again")).to_be_visible()
    await expect(page.locator("#announcement")).to_have_text("All activities as CSV: failed.")
    await expect(page.get_by_label("Activities", exact=True)).to_have_value("swim")
    assert await page.evaluate("window.loadedOnce")


async def test_pages_that_require_no_sign_in_are_accessible(
    page: Page, resources: Resources
) -> None:
    sam = await person(resources.database, "sam", confirmed=False)
    async with resources.database.transaction() as tx:
        reset = await issue_token(tx, sam.id, "reset", timedelta(hours=1))
        confirm = await issue_token(tx, sam.id, "confirm", timedelta(hours=1))
    unsubscribe_link = unsubscribe_token(resources.settings.secret_key, sam.id, "friend_activity")
    for path in (
        "/sign-in",
        "/forgotten",
        "/problems/address_taken",
        f"/confirm/{confirm}",
        f"/reset/{reset}",
        f"/unsubscribe/{unsubscribe_link}",
        "/confirmed",
        "/reset-done",
    ):
        await page.goto(path)
        await assert_page_is_accessible(page, f"anonymous-{path.split('/')[1]}")
    await page.goto(f"/unsubscribe/{unsubscribe_link}")
    await page.get_by_role("button", name="Unsubscribe").click()
    await expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    await assert_page_is_accessible(page, "anonymous-unsubscribed")


async def test_error_pages_are_accessible(page: Page, page_errors: PageErrors) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("Email address").fill("kim@example.com")
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await assert_page_is_accessible(page, "refused-sign-in")
    await page.goto("/unsubscribe/nothing")
    await assert_page_is_accessible(page, "refused-link")
    assert 2 == len(page_errors)  # from the 401 and 404 responses
    page_errors.clear()
