"""Limits on sign-ins, sign-ups and email links, and on the requests of one user."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app import metrics
from app.api.application import create_app
from app.errors import TooMany
from app.rate_limits import OUTAGE_PAUSE_S, RateLimit, RateLimiter
from app.redis import Redis, open_redis
from app.resources import Resources
from app.settings import Rate
from app.users import login_limits
from app.users.email_links import issue_token
from app.users.login_limits import (
    SignInAttempt,
    clear_sign_ins,
    count_reset_request,
    count_sign_in,
    count_sign_up,
)
from app.web.connection import resolve_address
from tests.support.outages import frozen, kill, own_valkey
from tests.support.people import person
from tests.support.rate_limits import shift_counts
from tests.support.working import WAIT_LIMIT_S
from tests.users.people import PASSWORD, new_user, sign_up

HOUR = timedelta(hours=1)
CLIENT = "203.0.113.7"
FEW = RateLimit("few", Rate(3, HOUR))


@pytest.fixture
def limiter(resources: Resources) -> RateLimiter:
    """The application's limiter, with a long timeout so that it counts even on a busy machine."""
    return RateLimiter(resources.redis, resources.settings.secret_key, timeout_s=WAIT_LIMIT_S)


@asynccontextmanager
async def client_from(
    address: str, resources: Resources, **changes: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, RateLimiter]]:
    """Open a client with this address for an API with changed `Http` settings.

    Yields the client and the API's limiter. The API shares its counts with the fixture `limiter`.
    """
    http = replace(resources.settings.http, **changes)
    settings = replace(resources.settings, http=http)
    changed = replace(
        resources,
        settings=settings,
        limiter=RateLimiter(resources.redis, settings.secret_key, timeout_s=WAIT_LIMIT_S),
        request_limit=RateLimit("requests", http.request_rate),
    )

    @asynccontextmanager
    async def open_changed() -> AsyncIterator[Resources]:
        yield changed

    app: Any = create_app(open_changed)
    transport = httpx.ASGITransport(app=app, client=(address, 1234))
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="https://t") as client,
    ):
        yield client, changed.limiter


async def repeat(count: int, action: Callable[[], Awaitable[None]]) -> None:
    for _ in range(count):
        await action()


async def pass_time(redis: Redis, limit: RateLimit, length: timedelta) -> None:
    """Make everything counted against a limit older by this length of time."""
    await shift_counts(redis, f"activelog:limit:{limit.name}:*", length)


async def test_no_period_contains_more_actions_than_the_limit_allows(
    limiter: RateLimiter, resources: Resources
) -> None:
    limit = RateLimit("pairs", Rate(2, HOUR))
    await limiter.take((limit, "kim"))
    await pass_time(resources.redis, limit, HOUR / 2)
    await limiter.take((limit, "kim"))
    with pytest.raises(TooMany) as refusal:
        await limiter.take((limit, "kim"))
    assert 1700 < refusal.value.retry_after <= 1800
    await limiter.take((limit, "sam"))

    await pass_time(resources.redis, limit, HOUR / 2)
    await limiter.take((limit, "kim"))
    with pytest.raises(TooMany):
        await limiter.take((limit, "kim"))


async def test_someone_who_does_not_stop_trying_stays_refused_if_refusals_count(
    limiter: RateLimiter, resources: Resources
) -> None:
    limit = RateLimit("strict", Rate(2, HOUR), counts_refused=True)
    await repeat(2, lambda: limiter.take((limit, "kim")))
    for _ in range(4):
        await pass_time(resources.redis, limit, HOUR / 3)
        with pytest.raises(TooMany):
            await limiter.take((limit, "kim"))
    await pass_time(resources.redis, limit, HOUR)
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
    (key,) = await resources.redis.keys("activelog:limit:few:*")
    assert b"kim" not in key
    assert 0 < await resources.redis.pttl(key) <= 3_600_000


@asynccontextmanager
async def silent_redis(closed_port: int, *, answers: bool) -> AsyncIterator[Redis]:
    """Yield a client of a Redis that is stopped or, if it still answers connections, frozen."""
    if not answers:
        async with open_redis(f"redis://127.0.0.1:{closed_port}") as redis:
            yield redis
        return
    async with own_valkey() as valkey:
        await valkey.start()
        assert valkey.pid
        async with open_redis(valkey.settings()["REDIS_URL"]) as redis:
            await redis.ping()
            with frozen(valkey.pid):
                yield redis


async def count_allowed(limiter: RateLimiter, attempts: int, *, limit: RateLimit = FEW) -> int:
    """Count how many actions are allowed of those that one subject takes at the same time."""
    results = await asyncio.gather(
        *(limiter.take((limit, "kim")) for _ in range(attempts)), return_exceptions=True
    )
    assert all(result is None or isinstance(result, TooMany) for result in results)
    return results.count(None)


@pytest.mark.parametrize("answers", [False, True], ids=["stopped", "frozen"])
async def test_limit_holds_in_each_process_while_redis_is_silent(
    closed_port: int, answers: bool
) -> None:
    now_s = 0.0
    async with silent_redis(closed_port, answers=answers) as redis:
        limiter = RateLimiter(redis, "secret", timeout_s=0.05, clock=lambda: now_s)
        with capture_logs() as logs:
            assert await count_allowed(limiter, 200) == 3
            now_s = HOUR.total_seconds()
            assert await count_allowed(limiter, 200) == 3
        await limiter.reset(FEW, "kim")
        assert await count_allowed(limiter, 200) == 3
    assert [log["event"] for log in logs] == ["rate_limits.degraded"] * 2
    assert metrics.registry.get_sample_value("activelog_rate_limits_degraded") == 1


@pytest.mark.parametrize("answers", [False, True], ids=["stopped", "frozen"])
async def test_batched_limit_holds_in_each_process_while_redis_is_silent(
    closed_port: int, answers: bool
) -> None:
    async with silent_redis(closed_port, answers=answers) as redis:
        limiter = RateLimiter(redis, "secret", timeout_s=0.05)
        for _ in range(3):
            limiter.count(FEW, "kim")
        await limiter.flush()
        with pytest.raises(TooMany):
            limiter.count(FEW, "kim")
        limiter.count(FEW, "sam")


async def test_busy_event_loop_does_not_lift_a_limit(resources: Resources) -> None:
    """Each step of the loop takes longer than the limiter waits for Redis."""
    limiter = RateLimiter(resources.redis, "secret", timeout_s=0.001)

    async def keep_busy() -> None:
        while True:
            time.sleep(0.005)  # noqa: ASYNC251 # blocks the loop on purpose
            await asyncio.sleep(0)

    busy = asyncio.create_task(keep_busy())
    try:
        allowed = await count_allowed(limiter, 50) + await count_allowed(limiter, 50)
    finally:
        busy.cancel()
    assert allowed == 3


async def test_redis_counts_again_once_it_responds() -> None:
    now_s = 0.0
    async with own_valkey() as valkey:
        await valkey.start()
        async with open_redis(valkey.settings()["REDIS_URL"]) as redis:
            here, elsewhere = (
                RateLimiter(redis, "secret", timeout_s=WAIT_LIMIT_S, clock=lambda: now_s)
                for _ in range(2)
            )
            await kill(valkey)
            await here.take((FEW, "kim"))
            assert metrics.registry.get_sample_value("activelog_rate_limits_degraded") == 1

            await valkey.start()
            now_s = OUTAGE_PAUSE_S
            await repeat(2, lambda: here.take((FEW, "kim")))
            assert metrics.registry.get_sample_value("activelog_rate_limits_degraded") == 0
            assert await count_allowed(elsewhere, 10) == 1  # the outage's action is not in Redis


async def test_batched_limiter_refuses_only_after_a_flush(resources: Resources) -> None:
    here, elsewhere = (
        RateLimiter(resources.redis, "secret", timeout_s=WAIT_LIMIT_S) for _ in range(2)
    )
    for _ in range(FEW.rate.max_count):
        here.count(FEW, "kim")
    here.count(FEW, "sam")
    await here.flush()
    with pytest.raises(TooMany) as refusal:
        here.count(FEW, "kim")
    assert 0 < refusal.value.retry_after <= 3600
    here.count(FEW, "sam")
    elsewhere.count(FEW, "kim")
    await elsewhere.flush()
    with pytest.raises(TooMany):
        elsewhere.count(FEW, "kim")


def attempt_of(email: str, client: str | None = None, device: str | None = None) -> SignInAttempt:
    return SignInAttempt(email, "a guess of mine", client, device)


async def test_sign_in_is_refused_after_ten_wrong_passwords_even_with_the_right_password(
    resources: Resources, limiter: RateLimiter, api: httpx.AsyncClient
) -> None:
    await sign_up(api)
    wrong = {"email": "Kim@example.com", "password": "a guess of mine"}
    right = {"email": "kim@example.com", "password": PASSWORD}
    async with client_from(CLIENT, resources) as (client, _):
        assert (await client.post("/api/v1/sessions", json=wrong)).status_code == 401
        assert len(await resources.redis.keys("activelog:limit:sign_ins:*")) == 1  # for the account

        await repeat(9, lambda: count_sign_in(limiter, attempt_of("kim@example.com")))
        for tried in (wrong, right):
            refused = await client.post("/api/v1/sessions", json=tried)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 900
        someone = {"email": "sam@example.com", "password": PASSWORD}
        assert (await client.post("/api/v1/sessions", json=someone)).status_code == 401


async def test_clearing_the_sign_ins_of_an_account_resets_its_limit(limiter: RateLimiter) -> None:
    for _ in range(3):
        await repeat(8, lambda: count_sign_in(limiter, attempt_of("kim@example.com")))
        await clear_sign_ins(limiter, "KIM@example.com", None)


async def test_sign_ins_to_many_accounts_are_limited_per_client(limiter: RateLimiter) -> None:
    for number in range(login_limits.SIGN_INS_FROM.rate.max_count):
        await count_sign_in(limiter, attempt_of(f"user{number}@example.com", CLIENT))
    with pytest.raises(TooMany):
        await count_sign_in(limiter, attempt_of("sam@example.com", CLIENT))
    await count_sign_in(limiter, attempt_of("kim@example.com", "203.0.113.8"))


async def test_known_device_has_a_limit_of_its_own(limiter: RateLimiter) -> None:
    for _ in range(20):
        with suppress(TooMany):
            await count_sign_in(limiter, attempt_of("kim@example.com", CLIENT))
    for _ in range(10):
        await count_sign_in(limiter, attempt_of("kim@example.com", CLIENT, "known"))
    with pytest.raises(TooMany):
        await count_sign_in(limiter, attempt_of("kim@example.com", CLIENT, "known"))


async def test_owner_signs_in_from_a_known_device_while_strangers_guess(
    resources: Resources, api: httpx.AsyncClient
) -> None:
    await sign_up(api)
    right = {"email": "Kim@example.com", "password": PASSWORD}
    wrong = {"email": "kim@example.com", "password": "a guess of mine"}
    async with client_from(CLIENT, resources) as (owner, _):
        assert (await owner.post("/api/v1/sessions", json=right)).status_code == 201
        async with client_from("203.0.113.8", resources) as (stranger, _):
            guesses = await asyncio.gather(
                *(stranger.post("/api/v1/sessions", json=wrong) for _ in range(30))
            )
            statuses = [guess.status_code for guess in guesses]
            assert statuses.count(401) <= 10
            assert 201 not in statuses
            assert (await stranger.post("/api/v1/sessions", json=right)).status_code == 429
        assert (await owner.post("/api/v1/sessions", json=right)).status_code == 201


async def test_device_cookie_of_one_account_is_worthless_for_another(
    resources: Resources, api: httpx.AsyncClient
) -> None:
    await sign_up(api)
    await sign_up(api, email="sam@example.com")
    async with client_from(CLIENT, resources) as (sam, _):
        await sam.post("/api/v1/sessions", json={"email": "sam@example.com", "password": PASSWORD})
        wrong = {"email": "kim@example.com", "password": "a guess of mine"}
        for _ in range(10):
            await sam.post("/api/v1/sessions", json=wrong)
    async with client_from("203.0.113.8", resources) as (client, _):
        assert (await client.post("/api/v1/sessions", json=wrong)).status_code == 429


@pytest.mark.parametrize(
    "spelling", ["k\u0131m@example.com", "K\u0130M@example.com", "\uff4bim@example.com"]
)
async def test_other_spellings_of_an_address_have_the_same_limit_or_no_account(
    resources: Resources, limiter: RateLimiter, api: httpx.AsyncClient, spelling: str
) -> None:
    await sign_up(api)
    await repeat(10, lambda: count_sign_in(limiter, attempt_of("kim@example.com")))
    right = {"email": spelling, "password": PASSWORD}
    async with client_from(CLIENT, resources) as (client, _):
        assert (await client.post("/api/v1/sessions", json=right)).status_code in (401, 429)


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
    kim = await person(resources.database, "kim", confirmed=False)
    await repeat(
        login_limits.CONFIRMATIONS.rate.max_count,
        lambda: login_limits.count_confirmation(limiter, "KIM@example.com"),
    )
    async with client_from(CLIENT, resources) as (client, _):
        refused = await client.post("/api/v1/users/confirm", headers=kim.headers)
    assert refused.status_code == 429
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    assert await resources.database.fetchval("select count(*) from jobs") == 0


async def test_only_enqueued_confirmation_emails_count_against_the_limit(
    resources: Resources,
) -> None:
    kim = await person(resources.database, "kim", confirmed=False)
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
        assert 0 < int(refused.headers["retry-after"]) <= 3600
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


async def test_password_reset_lets_the_owner_sign_in_again_at_once(
    resources: Resources, limiter: RateLimiter, api: httpx.AsyncClient
) -> None:
    await sign_up(api)
    await repeat(10, lambda: count_sign_in(limiter, attempt_of("kim@example.com")))
    user_id = await resources.database.fetchval("select id from users")
    async with resources.database.transaction() as tx:
        token = await issue_token(tx, user_id, "reset", HOUR)
    credentials = {"email": "kim@example.com", "password": "a longer walk on the beach"}
    async with client_from(CLIENT, resources) as (client, _):
        refused = await client.post("/api/v1/sessions", json=credentials)
        new_password = {"password": credentials["password"]}
        await client.post(f"/api/v1/password-resets/{token}", json=new_password)
        signed_in = await client.post("/api/v1/sessions", json=credentials)
    assert (refused.status_code, signed_in.status_code) == (429, 201)
