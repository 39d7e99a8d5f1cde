"""Clients that send slowly, not at all or too much, or that do not read: over raw sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.api.bodies import BODY_LIMITS
from app.connections import CONNECTION_LIMITS
from app.embedded.ports import free_ports
from app.resources import Resources
from tests.support.http import anonymous_client
from tests.support.people import Person, person
from tests.support.processes import program
from tests.support.raw_http import RawConnection
from tests.support.working import eventually

API_WITH_LIMITS = """
import sys
from app import asgi
from app.api.bodies import BodyLimits
from app.connections import ConnectionLimits

asgi.main(body_limits=BodyLimits({body}), connection_limits=ConnectionLimits({connection}))
"""
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n"
IMPATIENT = {"body": "max_pause_s=1.5", "connection": "request_s=1.5, stall_s=1.5"}
"""For tests whose clients do nothing."""
MAX_HELD_BYTES = 2_000_000
LARGE = 900_000


class Api:
    """A running API. `url` is that of its public port, `metrics_url` that of its metrics."""

    def __init__(self, url: str, metrics_url: str) -> None:
        self.url = url
        self._metrics_url = metrics_url

    async def connect(self, sent: bytes = b"") -> RawConnection:
        connection = await RawConnection.open(self.url)
        await connection.send(sent)
        return connection

    async def metric(self, name: str) -> float:
        """Return the value of a sample, or 0 if there is none."""
        async with anonymous_client() as client:
            lines = (await client.get(f"{self._metrics_url}/metrics")).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    async def held_bytes(self) -> float:
        return await self.metric("activelog_http_body_bytes")

    async def unfinished_post(self, sender: Person) -> RawConnection:
        """Send all of a large body but the last two bytes."""
        head = post("/api/v1/activities", LARGE + 2, sender=sender)
        return await self.connect(head + b" " * LARGE)

    async def is_live(self) -> bool:
        connection = await self.connect(LIVE)
        try:
            return (await connection.response())[0] == 200
        finally:
            connection.close()


@asynccontextmanager
async def api_with(environ: dict[str, str], *, body: str, connection: str) -> AsyncIterator[Api]:
    port, metrics_port = map(str, free_ports(2))
    variables = {**environ, "PORT": port, "API_METRICS_PORT": metrics_port}
    script = API_WITH_LIMITS.format(body=body, connection=connection)
    async with program("-c", script, environ=variables) as running:
        await running.wait_for_output("api.started")
        yield Api(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}")


@pytest.fixture(scope="module")
async def impatient(environ: dict[str, str]) -> AsyncIterator[Api]:
    async with api_with(environ, **IMPATIENT) as api:
        yield api


@pytest.fixture(scope="module")
async def patient(environ: dict[str, str]) -> AsyncIterator[Api]:
    """An API that waits for its clients, but for at most 20, and holds 2 MB of bodies."""
    body = f"max_pause_s=3600, max_held_bytes={MAX_HELD_BYTES}"
    connection = "request_s=3600, stall_s=3600, max_waiting=20"
    async with api_with(environ, body=body, connection=connection) as api:
        yield api


@pytest.fixture
async def kim(resources: Resources) -> Person:
    return await person(resources.database, "kim")


def post(path: str, length: int, *, sender: Person | None = None) -> bytes:
    """Return the headers of a POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: test",
        f"Content-Type: {JSON if path.startswith('/api') else FORM}",
        f"Content-Length: {length}",
        *([f"Authorization: Bearer {sender.token}"] if sender else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_limits_are_those_that_the_documents_promise() -> None:
    promised = [(10, 30, 500), (15, 16_000, 64 * 1024 * 1024)]
    assert promised == [CONNECTION_LIMITS, BODY_LIMITS]


@pytest.mark.parametrize(
    "sent",
    [b"", b"G", b"GET /health/live HTTP/1.1\r\nHost: test\r\n", LIVE, LIVE + b"GET / HT"],
    ids=["nothing", "a byte", "half of the headers", "a request", "a request and a half"],
)
async def test_connection_without_a_complete_request_is_closed(impatient: Api, sent: bytes) -> None:
    connection = await impatient.connect(sent)
    answered = await connection.rest()
    assert answered.count(b"HTTP/1.1 200") == sent.count(LIVE)


async def test_headers_that_keep_arriving_slowly_do_not_keep_a_connection_open(
    impatient: Api,
) -> None:
    connection = await impatient.connect(b"GET /health/live HTTP/1.1\r\n")
    closed = asyncio.create_task(connection.rest())
    while not closed.done():
        await connection.send_unless_closed(b"X-More: 1\r\n")
        await asyncio.sleep(0.05)
    assert closed.result() == b""


async def test_headers_larger_than_16_kb_are_refused(patient: Api) -> None:
    connection = await patient.connect(b"GET / HTTP/1.1\r\nHost: test\r\nX-Large: " + b"a" * 17_000)
    assert (await connection.response())[0] == 400


async def test_body_that_pauses_is_answered_with_408(impatient: Api, kim: Person) -> None:
    connection = await impatient.connect(post("/api/v1/activities", 1000, sender=kim) + b"{")
    status, body = await connection.response()
    assert status == 408
    assert b"did not arrive within 1.5 seconds" in body


async def test_form_that_pauses_is_answered_with_a_page(impatient: Api) -> None:
    connection = await impatient.connect(post("/sign-in", 100) + b"email=")
    status, body = await connection.response()
    assert status == 408
    assert b"<html" in body


async def test_connection_is_closed_if_the_rest_of_an_answered_body_does_not_arrive(
    impatient: Api,
) -> None:
    connection = await impatient.connect(post("/api/v1/activities", 1000) + b"{")
    assert b"HTTP/1.1 401" in await connection.rest()


async def test_client_that_does_not_read_its_responses_is_cut_off(impatient: Api) -> None:
    before = await impatient.metric('activelog_http_connections_closed_total{reason="stalled"}')
    connection = await RawConnection.open(impatient.url, receive_buffer=1)
    pipelined = b"GET /schema/openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 200
    sending = asyncio.create_task(connection.send_unless_closed(pipelined))
    name = 'activelog_http_connections_closed_total{reason="stalled"}'
    await eventually(lambda: impatient.metric(name), before + 1)
    connection.close()
    await sending


async def test_oldest_incomplete_requests_are_closed_when_there_are_too_many(patient: Api) -> None:
    waiting = [await patient.connect(b"GET / HTTP/1.1\r\n") for _ in range(40)]
    assert await patient.is_live()
    assert [await connection.rest() for connection in waiting[:20]] == [b""] * 20
    await waiting[-1].send(b"Host: test\r\n\r\n")
    assert (await waiting[-1].response())[0] == 200
    for connection in waiting:
        connection.close()


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/sessions", "/sign-in"])
async def test_anonymous_request_may_have_16_kb(patient: Api, path: str) -> None:
    connection = await patient.connect(post(path, 900_000) + b"a" * 16_001)
    assert (await connection.response())[0] == 413
    within = await patient.connect(post(path, 16_000) + b"a" * 16_000)
    assert (await within.response())[0] in {400, 403}


async def test_oldest_unfinished_body_is_refused_when_bodies_are_too_large_in_all(
    patient: Api, kim: Person
) -> None:
    first = await patient.unfinished_post(kim)
    await eventually(patient.held_bytes, LARGE)  # so that it is the oldest
    second = await patient.unfinished_post(kim)
    await eventually(patient.held_bytes, 2 * LARGE)
    third = await patient.unfinished_post(kim)
    head = await first.head()
    assert head.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 5" in head.lower()
    for connection in (second, third):
        await connection.send(b"{}")
        assert (await connection.response())[0] == 400  # the fields are missing
    await eventually(patient.held_bytes, 0)


async def test_small_requests_are_served_while_bodies_are_full(patient: Api, kim: Person) -> None:
    unfinished = [await patient.unfinished_post(kim) for _ in range(5)]
    await eventually(patient.held_bytes, 2 * LARGE)
    run = b'{"type":"run","started_at":"2026-11-21T07:30:00Z","duration_s":60}'
    small = await patient.connect(post("/api/v1/activities", len(run), sender=kim) + run)
    assert (await small.response())[0] == 201
    for connection in unfinished:
        connection.close()


async def test_others_are_served_during_a_flood_of_unfinished_bodies_and_idle_connections(
    patient: Api, kim: Person
) -> None:
    """`python -m tests.attack.connections` does this with the real limits."""
    flood = [await patient.connect() for _ in range(60)]
    for _ in range(20):
        flood += [await patient.unfinished_post(kim), await patient.connect()]
        assert await patient.is_live()
        assert await patient.held_bytes() <= MAX_HELD_BYTES
    for connection in flood:
        connection.close()
    await eventually(patient.held_bytes, 0)


async def test_body_is_no_longer_counted_when_its_client_has_left(
    patient: Api, kim: Person
) -> None:
    connection = await patient.unfinished_post(kim)
    await eventually(patient.held_bytes, LARGE)
    connection.close()
    await eventually(patient.held_bytes, 0)


@pytest.mark.parametrize("order", ["length first", "coding first"])
async def test_request_with_a_length_and_a_transfer_coding_is_refused_and_closed(
    patient: Api, order: str
) -> None:
    framing = ["Content-Length: 5", "Transfer-Encoding: chunked"]
    lines = framing if order == "length first" else framing[::-1]
    head = "\r\n".join(["POST /api/v1/sessions HTTP/1.1", "Host: test", *lines, "", ""])
    connection = await patient.connect(head.encode() + b"0\r\n\r\n" + LIVE)
    answered = await connection.rest()
    assert answered.startswith(b"HTTP/1.1 400")
    assert answered.count(b"HTTP/1.1") == 1
