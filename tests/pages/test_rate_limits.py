"""Rate limits on pages: the same limits and counts as in the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from app.api.application import create_app
from app.pages import pages_router
from app.rate_limits import RateLimit, RateLimiter
from app.resources import Resources
from app.settings import Rate
from app.users import login_limits
from app.users.login_limits import (
    SignInAttempt,
    count_password_check,
    count_reset_request,
    count_sign_in,
    count_sign_up,
)
from tests.pages.browsing import form, sign_in_as, submit, text_of
from tests.support.people import person
from tests.support.working import WAIT_LIMIT_S
from tests.users.people import PASSWORD
from tests.users.people import sign_up as sign_up_by_api

CLIENT = "203.0.113.7"
GUESS = SignInAttempt("kim@example.com", "a wrong guess", client=None, device=None)
TOO_MANY = "Too many requests. Try again later."


@pytest.fixture
def limiter(resources: Resources) -> RateLimiter:
    """The application's limiter, with a long timeout: a busy machine must not suspend it."""
    return RateLimiter(resources.redis, resources.settings.secret_key, timeout_s=WAIT_LIMIT_S)


@pytest.fixture
async def browser(resources: Resources, limiter: RateLimiter) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with the address `CLIENT`. Each user may send three requests an hour."""

    few = RateLimit("requests", Rate(3, timedelta(hours=1)))
    limited_resources = replace(resources, limiter=limiter, request_limit=few)

    @asynccontextmanager
    async def existing_resources() -> AsyncIterator[Resources]:
        yield limited_resources

    app = create_app(existing_resources, pages=[pages_router])
    app.state.resources = limited_resources
    transport = httpx.ASGITransport(app=app, client=(CLIENT, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as client:
        yield client


def assert_refused(response: httpx.Response) -> None:
    assert response.status_code == 429
    assert TOO_MANY in text_of(response)
    assert 0 < int(response.headers["retry-after"])


async def test_password_guessing_is_limited_to_ten_tries(
    browser: httpx.AsyncClient, api: httpx.AsyncClient, resources: Resources, limiter: RateLimiter
) -> None:
    await sign_up_by_api(api)
    page = await browser.get("/sign-in")
    wrong = {"email": "Kim@example.com", "password": "a wrong guess"}
    assert 401 == (await submit(browser, page, "/sign-in", **wrong)).status_code
    # The failed attempt was counted.
    assert 1 == len(await resources.redis.keys("activelog:limit:sign_ins:*"))

    for _ in range(9):
        await count_sign_in(limiter, GUESS)
    refused = await submit(browser, page, "/sign-in", **{**wrong, "password": PASSWORD})
    assert_refused(refused)
    assert form(refused, "/sign-in").fields["email"] == "Kim@example.com"
    assert "__Host-session" not in browser.cookies


async def test_correct_password_resets_the_count(
    browser: httpx.AsyncClient, api: httpx.AsyncClient, limiter: RateLimiter
) -> None:
    await sign_up_by_api(api)
    right = {"email": "kim@example.com", "password": PASSWORD}
    for _ in range(3):
        for _ in range(login_limits.SIGN_INS.rate.max_count - 2):
            await count_sign_in(limiter, GUESS)
        browser.cookies.clear()
        page = await browser.get("/sign-in")
        assert 303 == (await submit(browser, page, "/sign-in", **right)).status_code


async def test_sign_ups_and_reset_requests_from_one_client_are_limited(
    browser: httpx.AsyncClient, resources: Resources, limiter: RateLimiter
) -> None:
    fields = {"name": "Kim", "email": "kim@example.com", "password": PASSWORD}
    for path, limit, count in (
        ("/sign-up", login_limits.SIGN_UPS_FROM, count_sign_up),
        ("/forgotten", login_limits.RESET_REQUESTS_FROM, count_reset_request),
    ):
        page = await browser.get(path)
        for _ in range(limit.rate.max_count):
            await count(limiter, CLIENT)
        assert_refused(await submit(browser, page, path, **fields))
    assert 0 == await resources.database.fetchval("select count(*) from users")


async def test_guessing_the_password_within_a_session_is_limited(
    browser: httpx.AsyncClient, resources: Resources, limiter: RateLimiter
) -> None:
    kim = await person(resources.database, "kim")
    sign_in_as(browser, kim)
    page = await browser.get("/settings")
    for _ in range(login_limits.PASSWORD_CHECKS.rate.max_count):
        await count_password_check(limiter, kim.id)
    change = {"current_password": "a wrong guess", "password": "a longer walk on the beach"}
    assert_refused(await submit(browser, page, "/settings/password", **change))
    assert_refused(await submit(browser, page, "/settings/leave", own_password="a wrong guess"))


async def test_page_requests_from_one_user_are_limited(
    browser: httpx.AsyncClient, resources: Resources, limiter: RateLimiter
) -> None:
    kim, sam = [await person(resources.database, name) for name in ("kim", "sam")]
    sign_in_as(browser, kim)
    for _ in range(3):
        assert 200 == (await browser.get("/exports")).status_code
    await limiter.flush()
    assert_refused(await browser.get("/exports"))
    sign_in_as(browser, sam)
    assert 200 == (await browser.get("/exports")).status_code
