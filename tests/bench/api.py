"""POST and GET /activities, compared with a bare Litestar handler on the same database."""

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
from tests.bench.benchmarks.asking import Connection, connect, send_all
from tests.bench.environment import Environment
from tests.bench.table import Row
from tests.support.people import person

NEEDS = ("DATABASE_URL", "REDIS_URL")
VERSIONS = ("litestar", "uvicorn", "msgspec", "asyncpg", "uvloop")
NOTES = (
    "Both under uvicorn, one process each, in alternating bursts of 100 requests. The bare "
    "handler looks up the token and inserts the row in one transaction; ActiveLog also looks for "
    "friends, and handles ids, limits, metrics and a log line."
)

PEOPLE = 20
REQUESTS_PER_BURST = 100
BURSTS = 20
QUICK = 5
"""--quick divides the number of bursts by this."""
OURS, BARE = "ActiveLog", "bare Litestar handler"
PROGRAMS = {
    BARE: ("-m", "uvicorn", "tests.bench.contenders.bare_api:app", "--no-access-log"),
    OURS: ("-m", "app.asgi"),
}
PATH = "/api/v1/activities"


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    tokens = await _tokens(environment)
    entry = {"type": "run", "duration_s": 2700, "distance_m": 8400, "calories": 610}
    body = msgspec.json.encode({**entry, "started_at": datetime.now(UTC), "notes": "Frost."})
    requests_by_name = {
        "POST /activities": [_request("POST", token, body) for token in tokens],
        "GET /activities, 50 rows": [_request("GET", token) for token in tokens],
    }
    bursts = BURSTS // (QUICK if quick else 1)
    rows: list[Row] = []
    for what, requests in requests_by_name.items():
        for at_once in (1, 8):
            if only not in what:
                continue
            taken: dict[str, list[float]] = defaultdict(list)
            for _ in range(rounds):
                for contender, p50 in (
                    await _round(environment, requests, at_once, bursts)
                ).items():
                    taken[contender].append(p50)
            rows += _rows(f"{what}, {at_once} concurrent", taken, target=what.startswith("POST"))
    return rows


async def _tokens(environment: Environment) -> list[str]:
    """Create the users who send the requests, and return their session tokens."""
    settings = Settings.from_env(environment.environ)
    logs.configure(replace(settings.logs, level="warning"))
    async with open_resources(settings, process="activelog-bench") as resources:
        people = [await person(resources.database, f"user{number}") for number in range(PEOPLE)]
    return [user.token for user in people]


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
    environment: Environment, requests: Sequence[bytes], at_once: int, bursts: int
) -> Mapping[str, float]:
    """Measure each contender's p50 in milliseconds. The first burst only warms the contender up."""
    async with AsyncExitStack() as stack:
        contenders = {
            name: await stack.enter_async_context(_serving(environment, program, at_once))
            for name, program in PROGRAMS.items()
        }
        burst = [requests[number % len(requests)] for number in range(REQUESTS_PER_BURST)]
        taken: dict[str, list[float]] = defaultdict(list)
        for number in range(bursts + 1):
            for name, connections in contenders.items():
                milliseconds = await send_all(connections, burst)
                if number:
                    taken[name] += milliseconds
        return {name: median(all_taken) for name, all_taken in taken.items()}


@asynccontextmanager
async def _serving(
    environment: Environment, program: Sequence[str], at_once: int
) -> AsyncIterator[list[Connection]]:
    """Run a server process and open `at_once` connections to it."""
    (port,) = free_ports(1)
    environ = {**environment.environ, "PORT": str(port), "UVICORN_PORT": str(port)}
    with (environment.folder / "server.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program, cwd=ROOT, env=environ, stdout=output, stderr=STDOUT
        )
    try:
        connections = [await _connect_when_ready(port) for _ in range(at_once)]
        yield connections
        for connection in connections:
            connection.close()
    finally:
        process.terminate()
        await process.wait()


async def _connect_when_ready(port: int) -> Connection:
    deadline = monotonic() + 30
    while True:
        try:
            return await connect(port)
        except OSError:
            if monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def _rows(what: str, taken: Mapping[str, Sequence[float]], *, target: bool) -> list[Row]:
    ratio = median(ours / bare for ours, bare in zip(taken[OURS], taken[BARE], strict=True))
    seen = f"p50 {median(taken[OURS]):.2f} ms: {ratio:.2f}x"
    return [
        Row(what, BARE, f"p50 {median(taken[BARE]):.2f} ms"),
        Row(what, OURS, seen, "<= 1.5x" if target else "", ratio <= 1.5 if target else None),
    ]
