"""Many guesses of a password at once, with Redis present, stopped and frozen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from app.embedded.servers import Valkey
from tests.attack.target import Target, target
from tests.bench.environment import Environment
from tests.bench.table import Row
from tests.support.outages import frozen, kill, own_valkey

NEEDS = ("DATABASE_URL",)
AT_ONCE = (1, 30, 100, 200)
PER_ACCOUNT = 10
"""How many attempts may be checked in 15 minutes."""
PASSWORD = "a long walk on the beach"
STRANGER, OWNER = "203.0.113.7", "198.51.100.1"


async def attack(environment: Environment, *, short: bool) -> list[Row]:
    """Guess, and let the owner sign in meanwhile from a known device."""
    return [
        row
        for redis in ("present", "stopped", "frozen")
        for at_once in (AT_ONCE[-1:] if short else AT_ONCE)
        for row in await _guess(environment, redis, at_once)
    ]


async def _guess(environment: Environment, redis: str, at_once: int) -> list[Row]:
    async with own_valkey() as valkey:
        await valkey.start()
        settings = {**valkey.settings(), "TRUSTED_PROXIES": "1"}
        async with (
            target(environment, settings) as api,
            _client(api, OWNER) as owner,
            _client(api, STRANGER) as stranger,
        ):
            email = f"kim-{redis}-{at_once}@example.com"
            account = {"email": email, "name": "Kim", "password": PASSWORD}
            right = {"email": email, "password": PASSWORD}
            wrong = {"email": email, "password": "a guess of mine"}
            for path, body in (("users", account), ("sessions", right)):
                assert (await owner.post(f"/api/v1/{path}", json=body)).status_code == 201
            async with _silenced(valkey, redis):
                guesses = [stranger.post("/api/v1/sessions", json=wrong) for _ in range(at_once)]
                sign_in = asyncio.create_task(owner.post("/api/v1/sessions", json=right))
                answers = Counter(answer.status_code for answer in await asyncio.gather(*guesses))
                signed_in = (await sign_in).status_code
    what = f"{at_once} guesses at once, Redis {redis}"
    checked = answers[401]
    return [
        Row(what, "checked", str(checked), f"<= {PER_ACCOUNT}", checked <= PER_ACCOUNT),
        Row(what, "owner on a known device", str(signed_in), "201", signed_in == 201),
    ]


@asynccontextmanager
async def _silenced(valkey: Valkey, redis: str) -> AsyncIterator[None]:
    """Stop or freeze Redis while the block runs, or leave it alone."""
    assert valkey.pid is not None
    match redis:
        case "stopped":
            await kill(valkey)
            yield
        case "frozen":
            with frozen(valkey.pid):
                yield
        case _:
            yield


@asynccontextmanager
async def _client(api: Target, address: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-Forwarded-For": address}
    async with httpx.AsyncClient(
        base_url=api.url,
        headers=headers,
        timeout=120,
        trust_env=False,
        limits=httpx.Limits(max_connections=None),
    ) as client:
        yield client
