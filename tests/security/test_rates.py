"""Limits on sign-ins, sign-ups and email links, and on the requests of one user."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app import metrics
from app.api.application import create_app
from app.errors import TooMany
from app.rate_limits import BatchedRateLimiter, RateLimit, RateLimiter
from app.redis import Redis, open_redis
from app.resources import Resources
from app.settings import Rate
from app.users import login_limits
from app.users.login_limits import clear_sign_ins, count_reset_request, count_sign_in, count_sign_up
from app.web.connection import resolve_address
from tests.support.outages import frozen, own_valkey
from tests.support.people import person
from tests.support.working import WAIT_LIMIT_S
from tests.users.people import PASSWORD, new_user, sign_up

HOUR = timedelta(hours=1)
CLIENT = "203.0.113.7"
FEW = RateLimit("few", Rate(3, HOUR))
FEW_INTERVAL_S = 1200
"""The time after which FEW admits one more request."""


@pytest.fixture
def limiter(resources: Resources) -> RateLimiter:
    """The application's limiter, with a long timeout so that it counts even on a busy machine."""
    return RateLimiter(resources.redis, resources.settings.secret_key, timeout_s=WAIT_LIMIT_S)


@asynccontextmanager
async def client_from(
    address: str, resources: Resources, **changes: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, BatchedRateLimiter]]:
    """Open a client with this address for an API with changed `Http` settings.

    Yields the client and the API's request limiter. The API shares its counts with the fixture
    `limiter`.
    """
    http = replace(resources.settings.http, **changes)
    settings = replace(resources.settings, http=http)
    limit = RateLimit("requests", http.request_rate)
    changed = replace(
        resources,
        settings=settings,
        limiter=RateLimiter(resources.redis, settings.secret_key, timeout_s=WAIT_LIMIT_S),
        request_limiter=BatchedRateLimiter(resources.redis, settings.secret_key, limit),
    )

    @asynccontextmanager
    async def open_changed() -> AsyncIterator[Resources]:
        yield changed

    app: Any = create_app(open_changed)
    transport = httpx.ASGITransport(app=app, client=(address, 1234))
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://t") as client,
    ):
        yield client, changed.request_limiter


async def repeat(count: int, action: Callable[[], Awaitable[None]]) -> None:
    for _ in range(count):
        await action()


async def pass_time(redis: Redis, limit: RateLimit, length: timedelta) -> None:
    """Make everything counted against a limit older by this length of time."""
    for key in await redis.keys(f"activelog:rate:{limit.name}:*"):
        await redis.decrby(key, length // timedelta(microseconds=1))


async def test_limit_admits_its_maximum_at_once_and_more_requests_as_time_passes(
    limiter: RateLimiter, resources: Resources
) -> None:
    limit = RateLimit("pairs", Rate(2, HOUR))
    await repeat(2, lambda: limiter.take((limit, "kim")))
    with pytest.raises(TooMany) as refusal:
        await limiter.take((limit, "kim"))
    assert 900 < refusal.value.retry_after <= 1800
    await limiter.take((limit, "sam"))

    await pass_time(resources.redis, limit, HOUR / 2)
    await limiter.take((limit, "kim"))
    with pytest.raises(TooMany):
        await limiter.take((limit, "kim"))


async def test_refusal_by_one_limit_does_not_count_against_the_others(limiter: RateLimiter) -> None:
    other = RateLimit("other", Rate(3, HOUR))
    await repeat(3, lambda: limiter.take((FEW, "kim")))
    with pytest.raises(TooMany):
        await limiter.take((FEW, "kim"), (other, "here"))
    await repeat(3, lambda: limiter.take((other, "here")))
    with pytest.raises(TooMany):
        await limiter.take((FEW, "sam"), (other, "here"))


async def test_metric_counts_a_refusal_only_for_the_exhausted_limit(limiter: RateLimiter) -> None:
    roomy = RateLimit("roomy", Rate(9, HOUR))
    await repeat(3, lambda: limiter.take((roomy, "here"), (FEW, "kim")))
    before = refusals(FEW), refusals(roomy)
    with pytest.raises(TooMany):
        await limiter.take((roomy, "here"), (FEW, "kim"))
    assert (refusals(FEW), refusals(roomy)) == (before[0] + 1, before[1])


def refusals(limit: RateLimit) -> float:
    return metrics.registry.get_sample_value("activelog_refused_total", {"limit": limit.name}) or 0


async def test_redis_keys_are_hashed_and_expire(limiter: RateLimiter, resources: Resources) -> None:
    await limiter.take((FEW, "kim@example.com"))
    (key,) = await resources.redis.keys("activelog:rate:few:*")
    assert b"kim" not in key
    assert 0 < await resources.redis.pttl(key) <= 3_600_000


async def test_requests_are_admitted_without_redis_and_few_of_them_try_to_connect(
    closed_port: int,
) -> None:
    async with open_redis(f"redis://127.0.0.1:{closed_port}") as redis:
        assert await count_suspensions(RateLimiter(redis, "secret")) < 10


async def test_requests_are_admitted_while_redis_is_frozen_and_few_of_them_are_delayed(
    resources: Resources,
) -> None:
    async with own_valkey() as valkey:
        await valkey.start()
        assert valkey.pid
        async with open_redis(valkey.settings()["REDIS_URL"]) as redis:
            await redis.ping()
            with frozen(valkey.pid):
                assert await count_suspensions(RateLimiter(redis, "secret", timeout_s=0.2)) < 10


async def count_suspensions(limiter: RateLimiter) -> int:
    """Count how many of 100 requests found Redis unavailable. No request may be refused."""
    with capture_logs() as logs:
        await repeat(100, lambda: limiter.take((FEW, "kim")))
    suspensions = [log for log in logs if log["event"] == "rate_limits.suspended"]
    assert suspensions
    return len(suspensions)


async def test_batched_limiter_refuses_only_after_a_flush(resources: Resources) -> None:
    here, elsewhere = (BatchedRateLimiter(resources.redis, "secret", FEW) for _ in range(2))
    for _ in range(FEW.rate.max_count):
        here.count("kim")
    here.count("sam")
    await here.flush()
    with pytest.raises(TooMany) as refusal:
        here.count("kim")
    assert 0 < refusal.value.retry_after <= FEW_INTERVAL_S
    here.count("sam")
    elsewhere.count("kim")
    await elsewhere.flush()
    with pytest.raises(TooMany):
        elsewhere.count("kim")


async def test_sign_in_is_refused_after_ten_wrong_passwords_even_with_the_right_password(
    resources: Resources, limiter: RateLimiter, api: httpx.AsyncClient
) -> None:
    await sign_up(api)
    wrong = {"email": "Kim@example.com", "password": "a guess of mine"}
    right = {"email": "kim@example.com", "password": PASSWORD}
    async with client_from(CLIENT, resources) as (client, _):
        assert (await client.post("/api/v1/sessions", json=wrong)).status_code == 401
        assert len(await resources.redis.keys("activelog:rate:sign_ins:*")) == 1  # for the account

        await repeat(9, lambda: count_sign_in(limiter, "kim@example.com", None))
        for tried in (wrong, right):
            refused = await client.post("/api/v1/sessions", json=tried)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 90
        someone = {"email": "sam@example.com", "password": PASSWORD}
        assert (await client.post("/api/v1/sessions", json=someone)).status_code == 401


async def test_clearing_the_sign_ins_of_an_account_resets_its_limit(limiter: RateLimiter) -> None:
    for _ in range(3):
        await repeat(8, lambda: count_sign_in(limiter, "kim@example.com", None))
        await clear_sign_ins(limiter, "KIM@example.com")


async def test_sign_ins_to_many_accounts_are_limited_per_client(limiter: RateLimiter) -> None:
    admitted = 0

    async def use_up_limit(name: str) -> None:
        nonlocal admitted
        for number in range(login_limits.SIGN_INS_FROM.rate.max_count):
            await count_sign_in(limiter, f"{name}{number}@example.com", CLIENT)
            admitted += 1

    started = monotonic()
    await use_up_limit("user")
    with pytest.raises(TooMany):
        await use_up_limit("more")
    limit = login_limits.SIGN_INS_FROM
    freed = (monotonic() - started) / (limit.rate.period.total_seconds() / limit.rate.max_count)
    assert admitted <= limit.rate.max_count + freed + 1
    await count_sign_in(limiter, "kim@example.com", "203.0.113.8")


@pytest.mark.parametrize(
    ("admit", "limit", "path", "body"),
    [
        (count_sign_up, login_limits.SIGN_UPS_FROM, "users", new_user()),
        (
            count_reset_request,
            login_limits.RESET_REQUESTS_FROM,
            "password-resets",
            {"email": "kim@example.com"},
        ),
    ],
)
async def test_sign_ups_and_reset_requests_are_limited_per_client(
    admit: Callable[[RateLimiter, str], Awaitable[None]],
    limit: RateLimit,
    path: str,
    body: dict[str, str],
    resources: Resources,
    limiter: RateLimiter,
) -> None:
    async with client_from(CLIENT, resources) as (client, _):
        await repeat(limit.rate.max_count, lambda: admit(limiter, CLIENT))
        assert (await client.post(f"/api/v1/{path}", json=body)).status_code == 429
    async with client_from("203.0.113.8", resources) as (client, _):
        assert (await client.post(f"/api/v1/{path}", json=body)).status_code < 300


async def test_confirmation_emails_are_limited_per_address(
    resources: Resources, limiter: RateLimiter
) -> None:
    kim = await person(resources.database, "kim")
    await repeat(
        login_limits.CONFIRMATIONS.rate.max_count,
        lambda: login_limits.count_confirmation(limiter, "KIM@example.com"),
    )
    async with client_from(CLIENT, resources) as (client, _):
        refused = await client.post("/api/v1/users/confirm", headers=kim.headers)
    assert refused.status_code == 429
    assert 28_000 < int(refused.headers["retry-after"]) <= 28_800
    assert await resources.database.fetchval("select count(*) from jobs") == 0


async def test_only_enqueued_confirmation_emails_count_against_the_limit(
    resources: Resources,
) -> None:
    kim = await person(resources.database, "kim")
    async with client_from(CLIENT, resources) as (client, _):
        for _ in range(login_limits.CONFIRMATIONS.rate.max_count + 1):
            answer = await client.post("/api/v1/users/confirm", headers=kim.headers)
            assert answer.status_code == 202
    assert await resources.database.fetchval("select count(*) from jobs") == 1


async def test_password_checks_for_a_signed_in_user_are_limited(
    resources: Resources, limiter: RateLimiter
) -> None:
    kim = await person(resources.database, "kim")
    change = {"current_password": "a guess of mine", "password": "a better one"}
    async with client_from(CLIENT, resources) as (client, _):
        await repeat(
            login_limits.PASSWORD_CHECKS.rate.max_count,
            lambda: login_limits.count_password_check(limiter, kim.id),
        )
        put = await client.put("/api/v1/users/me/password", json=change, headers=kim.headers)
        deleted = await client.request(
            "DELETE", "/api/v1/users/me", json={"password": "a guess"}, headers=kim.headers
        )
    assert (put.status_code, deleted.status_code) == (429, 429)


async def test_requests_are_limited_per_user(resources: Resources) -> None:
    kim = await person(resources.database, "kim")
    sam = await person(resources.database, "sam")
    few = Rate(3, HOUR)
    async with client_from(CLIENT, resources, request_rate=few) as (client, request_limiter):
        for sender in (kim, kim, kim, sam):
            answer = await client.get("/api/v1/users/me", headers=sender.headers)
            assert answer.status_code == 200
        await request_limiter.flush()
        refused = await client.get("/api/v1/users/me", headers=kim.headers)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= FEW_INTERVAL_S
        assert (await client.get("/api/v1/users/me", headers=sam.headers)).status_code == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "counted"),
    [
        (CLIENT, "", 0, CLIENT),
        (CLIENT, "198.51.100.1", 0, CLIENT),
        ("10.0.0.1", "198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "forged, 198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "forged, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1", 2, "10.0.0.1"),
        ("10.0.0.1", "nonsense", 1, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "", 0, CLIENT),
        ("127.0.0.1", "", 0, None),
        ("::1", "", 0, None),
        ("", "", 0, None),
    ],
)
def test_rate_limits_count_the_address_of_the_client_behind_trusted_proxies(
    peer: str, forwarded: str, proxies: int, counted: str | None
) -> None:
    assert counted == resolve_address(peer, forwarded, proxies)
