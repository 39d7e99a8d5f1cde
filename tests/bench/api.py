"""POST /activities and the list of them, beside a bare Litestar handler on the same database."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import STDOUT
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from time import monotonic

import msgspec

from app import logs
from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from app.resources import open_resources
from app.settings import Settings
from tests.bench.benchmarks.asking import Caller, ask_all, call
from tests.bench.environment import Ground
from tests.bench.table import Row
from tests.support.people import person

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("litestar", "uvicorn", "msgspec", "asyncpg", "uvloop")
NOTES = (
    "Both under uvicorn, one process each, asked in bursts of 100 in turn. The bare handler looks "
    "the token up and inserts in one transaction; ours has friends to look for, ids, limits, "
    "figures and a log line besides."
)

PEOPLE = 20
BURST = 100
BURSTS = 20
QUICK = 5
"""By how much --quick divides the bursts."""
OURS, BARE = "ActiveLog", "bare Litestar handler"
PROGRAMS = {
    BARE: ("-m", "uvicorn", "tests.bench.contenders.bare_api:app", "--no-access-log"),
    OURS: ("-m", "app.asgi"),
}
PATH = "/api/v1/activities"


async def bench(ground: Ground, *, rounds: int, quick: bool, only: str) -> list[Row]:
    tokens = await _tokens(ground)
    entry = {"type": "run", "duration_s": 2700, "distance_m": 8400, "calories": 610}
    body = msgspec.json.encode({**entry, "started_at": datetime.now(UTC), "notes": "Frost."})
    asked = {
        "POST /activities": [_request("POST", token, body) for token in tokens],
        "GET /activities, 50 of them": [_request("GET", token) for token in tokens],
    }
    bursts = BURSTS // (QUICK if quick else 1)
    rows: list[Row] = []
    for what, requests in asked.items():
        for at_once in (1, 8):
            if only not in what:
                continue
            taken: dict[str, list[float]] = defaultdict(list)
            for _ in range(rounds):
                for side, p50 in (await _round(ground, requests, at_once, bursts)).items():
                    taken[side].append(p50)
            rows += _rows(f"{what}, {at_once} at once", taken, bar=what.startswith("POST"))
    return rows


async def _tokens(ground: Ground) -> list[str]:
    """Of people who have recorded enough for a page."""
    settings = Settings.from_env(ground.environ)
    logs.configure(replace(settings.logs, level="warning"))
    async with open_resources(settings, process="activelog-bench") as resources:
        people = [await person(resources.database, f"user{number}") for number in range(PEOPLE)]
    return [one.token for one in people]


def _request(method: str, token: str, body: bytes = b"") -> bytes:
    head = [
        f"{method} {PATH} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


async def _round(
    ground: Ground, requests: Sequence[bytes], at_once: int, bursts: int
) -> Mapping[str, float]:
    """The p50 of each side, in milliseconds. The first burst of each warms it up."""
    async with AsyncExitStack() as stack:
        sides = {
            name: await stack.enter_async_context(_served(ground, program, at_once))
            for name, program in PROGRAMS.items()
        }
        burst = [requests[number % len(requests)] for number in range(BURST)]
        taken: dict[str, list[float]] = defaultdict(list)
        for number in range(bursts + 1):
            for name, callers in sides.items():
                milliseconds = await ask_all(callers, burst)
                if number:
                    taken[name] += milliseconds
        return {name: median(all_taken) for name, all_taken in taken.items()}


@asynccontextmanager
async def _served(
    ground: Ground, program: Sequence[str], at_once: int
) -> AsyncIterator[list[Caller]]:
    """A server process, and so many connections to it."""
    (port,) = free_ports(1)
    environ = {**ground.environ, "PORT": str(port), "UVICORN_PORT": str(port)}
    with (ground.folder / "server.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program, cwd=ROOT, env=environ, stdout=output, stderr=STDOUT
        )
    try:
        callers = [await _called(port) for _ in range(at_once)]
        yield callers
        for caller in callers:
            caller.close()
    finally:
        process.terminate()
        await process.wait()


async def _called(port: int) -> Caller:
    deadline = monotonic() + 30
    while True:
        try:
            return await call(port)
        except OSError:
            if monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def _rows(what: str, taken: Mapping[str, Sequence[float]], *, bar: bool) -> list[Row]:
    ratio = median(ours / bare for ours, bare in zip(taken[OURS], taken[BARE], strict=True))
    seen = f"p50 {median(taken[OURS]):.2f} ms: {ratio:.2f}x"
    return [
        Row(what, BARE, f"p50 {median(taken[BARE]):.2f} ms"),
        Row(what, OURS, seen, "<= 1.5x" if bar else "", ratio <= 1.5 if bar else None),
    ]
