"""Unfinished bodies, and connections that send nothing: `python -m tests.attack.connections`."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

import httpx

from app.api.bodies import BODY_LIMITS
from app.connections import CONNECTION_LIMITS
from tests.attack.target import MEMORY_LIMIT_BYTES, Target, target
from tests.bench.environment import Environment, describe_machine, environment
from tests.bench.table import Row, show
from tests.support.raw_http import RawConnection

T = TypeVar("T")

NEEDS = ("DATABASE_URL", "REDIS_URL")
BODIES, IDLE = 200, 1500
SHORT_BODIES, SHORT_IDLE = 100, 600
BODY_BYTES = 999_000
PATIENCE_S = 5.0
"""How long after the limit a connection may still be open, on a busy machine."""


async def attack(environment: Environment, *, short: bool) -> list[Row]:
    """Send unfinished bodies without and with a token, and open connections and send nothing."""
    bodies, idle = (SHORT_BODIES, SHORT_IDLE) if short else (BODIES, IDLE)
    async with target(environment) as api:
        token = await _sign_up(api)
        rows = [
            *await _send_bodies(api, "anonymous", bodies, None),
            *await _send_bodies(api, "signed in", bodies, token),
            *await _open_and_wait(api, idle),
        ]
        limit = MEMORY_LIMIT_BYTES // 2**20
        what = "API, under a memory limit" if api.is_limited else "API, without a memory limit"
        return [
            *rows,
            Row(what, "peak, MiB", str(api.peak_mib()), f"<= {limit}", api.peak_mib() <= limit),
            Row(what, "alive", str(api.is_alive()), "True", api.is_alive()),
        ]


async def _sign_up(api: Target) -> str:
    person = {"email": "mallory@example.com", "name": "M", "password": "a long walk on the beach"}
    async with httpx.AsyncClient(base_url=f"{api.url}/api/v1", timeout=60) as client:
        (await client.post("/users", json=person)).raise_for_status()
        del person["name"]
        return str((await client.post("/sessions", json=person)).json()["token"])


async def _send_bodies(api: Target, who: str, count: int, token: str | None) -> list[Row]:
    """Send all but a kilobyte of each body, all at once, and wait until all have been answered."""
    path, authorization = ("users", "") if token is None else ("activities", _bearer(token))
    head = (
        f"POST /api/v1/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"{authorization}Content-Length: {BODY_BYTES + 1000}\r\n\r\n"
    ).encode()

    async def send() -> int:
        connection = await RawConnection.open(api.url)
        try:
            await connection.send_unless_closed(head + b" " * BODY_BYTES)
            return (await connection.response())[0]
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        finally:
            connection.close()

    statuses, slowest_ms = await _while_measuring(
        api, lambda: asyncio.gather(*(send() for _ in range(count)))
    )
    seen, what = Counter(statuses), f"{count} unfinished bodies, {who}"
    shown = ", ".join(f"{number} x {status or 'closed'}" for status, number in seen.most_common())
    allowed = {0, 413} if token is None else {0, 408, 503}
    held = seen[408] * BODY_BYTES
    return [
        Row(what, "answers", shown, _listed(allowed), set(seen) <= allowed),
        Row(what, "held at once, MiB", str(held // 2**20), "<= 64", _fits(held)),
        Row(what, "slowest other request, ms", f"{slowest_ms:.0f}"),
    ]


async def _open_and_wait(api: Target, count: int) -> list[Row]:
    """Open connections, and count those still open when their time is up."""
    connections = [await RawConnection.open(api.url) for _ in range(count)]
    closing = [asyncio.create_task(connection.rest()) for connection in connections]
    seconds = CONNECTION_LIMITS.request_s + PATIENCE_S
    (_, still_open), slowest_ms = await _while_measuring(
        api, lambda: asyncio.wait(closing, timeout=seconds)
    )
    for connection in connections:
        connection.close()
    await asyncio.wait(closing)
    what = f"{count} idle connections"
    left = len(still_open)
    return [
        Row(what, f"open after {seconds:.0f} s", str(left), "0", left == 0),
        Row(what, "slowest other request, ms", f"{slowest_ms:.0f}"),
    ]


async def _while_measuring(api: Target, act: Callable[[], Awaitable[T]]) -> tuple[T, float]:
    """Return what `act` returns, and the duration of the slowest request made meanwhile, in ms."""
    acting = asyncio.ensure_future(act())
    slowest_s = 0.0
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        while not acting.done():
            began = monotonic()
            (await client.get("/health/ready")).raise_for_status()
            slowest_s = max(slowest_s, monotonic() - began)
            await asyncio.wait([acting], timeout=0.1)
    return acting.result(), slowest_s * 1000


def _bearer(token: str) -> str:
    return f"Authorization: Bearer {token}\r\n"


def _listed(statuses: set[int]) -> str:
    return " or ".join(str(status or "closed") for status in sorted(statuses))


def _fits(held: int) -> bool:
    return held <= BODY_LIMITS.max_held_bytes


async def main() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * IDLE), hard))
    print(describe_machine(("litestar", "uvicorn", "h11")))
    async with environment(NEEDS) as env:
        rows = await attack(env, short="--short" in sys.argv)
    show("connections", rows)
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
