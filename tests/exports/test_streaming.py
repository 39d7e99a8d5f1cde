"""CSV downloads of any size: their limits, and how they return their connections."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from functools import partial
from time import monotonic
from typing import Any

import httpx
import pytest

from app.api.streaming import StreamedDownload
from app.embedded.ports import free_ports
from app.errors import Busy, Unavailable
from app.event_loop import cancel_all
from app.exports import statements
from app.exports.csv import DOWNLOAD_LIMITS, DownloadLimits, Downloads, DownloadTooSlow, copy
from app.exports.export import Filters
from app.postgres.database import Database
from app.postgres.pool import Pool
from app.postgres.snapshot import Snapshot, Snapshots
from app.resources import Resources
from tests.support.exports import CSV, add_activities, add_megabytes
from tests.support.outages import terminate_backends
from tests.support.owner import execute_as_owner
from tests.support.people import Person, person
from tests.support.processes import API, Program, program
from tests.support.working import WAIT_LIMIT_S, eventually

POOL = 2
TOO_MANY, BUSY = 429, 503
APPLICATION = "activelog-api-exports"

RELAXED = DownloadLimits(max_duration_s=3600, window_s=3600)
"""For clients that are slow only because the machine is slow."""

Write = Callable[[bytes], Awaitable[None]]


@pytest.fixture
async def kim(database: Database) -> Person:
    """A user with 40 MB of activities."""
    return await person_with_activities(database, "kim")


@pytest.fixture
async def sam(database: Database) -> Person:
    """Another one."""
    return await person_with_activities(database, "sam")


async def person_with_activities(database: Database, name: str) -> Person:
    someone = await person(database, name)
    await add_megabytes(database, someone.id, 40)
    return someone


@pytest.fixture
async def served(environ: dict[str, str], resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    """The API in a process that allows two downloads at a time."""
    async with serving(environ, *API) as (api, _):
        yield api


@asynccontextmanager
async def serving(
    environ: dict[str, str], *arguments: str
) -> AsyncIterator[tuple[httpx.AsyncClient, Program]]:
    (port,) = free_ports(1)
    variables = {"PORT": str(port), "EXPORT_POOL": str(POOL), "PATH": "/usr/bin"}
    async with program(*arguments, environ={**environ, **variables}) as running:
        await running.wait_for_output("api.started")
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=WAIT_LIMIT_S) as api:
            yield api, running


@asynccontextmanager
async def started_download(
    api: httpx.AsyncClient, who: Person
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Start a download, read its first bytes, and yield the rest.

    Raises:
        TimeoutError: all connections, or that of this person, were in use for `WAIT_LIMIT_S`.
    """
    async with asyncio.timeout(WAIT_LIMIT_S) as limit:
        while True:
            async with api.stream("GET", CSV, headers=who.headers) as answer:
                if answer.status_code in {TOO_MANY, BUSY}:
                    continue
                assert answer.status_code == 200
                limit.reschedule(None)
                pieces = answer.aiter_raw(1024)
                assert (await anext(pieces)).startswith(b"Date,Type,")
                yield pieces
                return


async def active_downloads(database: Database) -> int:
    """Count the downloads whose query is running in Postgres."""
    return int(
        await database.fetchval(
            "select count(*) from pg_stat_activity"
            " where application_name = $1 and state <> 'idle' and datname = current_database()",
            APPLICATION,
        )
    )


async def test_aborted_downloads_return_their_connections(
    served: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    async def abort(count: int, who: Person) -> None:
        for _ in range(count):
            async with started_download(served, who):
                pass

    await asyncio.gather(abort(50, kim), abort(50, sam))

    await eventually(lambda: active_downloads(database), 0)
    async with started_download(served, kim), started_download(served, sam):
        assert await active_downloads(database) == POOL


async def test_client_that_leaves_is_not_logged_as_an_outage_or_an_error(
    environ: dict[str, str], database: Database, kim: Person
) -> None:
    async with serving(environ, *API) as (api, running):
        for _ in range(4):
            async with started_download(api, kim):
                await eventually(lambda: is_stalled(database), True)
            await eventually(lambda: active_downloads(database), 0)
        running.send(signal.SIGTERM)
        await running.ended()
    logged = [json.loads(line) for line in running.output.splitlines()]
    assert [line for line in logged if line["level"] != "info"] == []


async def test_failure_after_the_client_has_left_is_not_reported() -> None:
    """asyncpg can answer a cancellation in the middle of a message with an error of its own."""

    async def fail_when_cancelled(begin: Callable[[], Awaitable[None]], _: Write) -> None:
        await begin()
        try:
            await asyncio.Event().wait()
        finally:
            raise Unavailable("Postgres is unavailable.", dependency="postgres")

    async def leave() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: object) -> None: ...

    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    try:
        response = StreamedDownload(fail_when_cancelled, "text/csv", "a.csv").to_asgi_response()
        scope: Any = {}
        await response(scope, leave, send)
        gc.collect()
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert reported == []


async def test_second_download_of_a_person_is_refused_with_429_until_the_first_ends(
    served: httpx.AsyncClient, kim: Person
) -> None:
    async with started_download(served, kim):
        refused = await served.get(CSV, headers=kim.headers)
        assert refused.status_code == TOO_MANY
        assert int(refused.headers["Retry-After"]) > 0
        assert "already downloading a CSV" in refused.json()["detail"]
    async with started_download(served, kim):
        pass


async def test_third_concurrent_download_is_refused_with_503_and_retry_after(
    served: httpx.AsyncClient, database: Database, kim: Person, sam: Person
) -> None:
    lee = await person(database, "lee")
    async with started_download(served, kim):
        async with started_download(served, sam):
            refused = await served.get(CSV, headers=lee.headers)
            assert refused.status_code == BUSY
            assert int(refused.headers["Retry-After"]) > 0
            me = await served.get("/api/v1/users/me", headers=lee.headers)
            assert me.status_code == 200
        await eventually(lambda: active_downloads(database), 1)
        async with started_download(served, lee):
            pass


async def test_failed_download_ends_the_http_connection_abnormally(
    served: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    async with started_download(served, kim) as pieces:
        assert await terminate_backends(database, APPLICATION) >= 1
        with pytest.raises(httpx.RemoteProtocolError):
            [piece async for piece in pieces]

    async with started_download(served, kim):
        pass  # the next download gets a connection


async def test_postgres_is_read_no_faster_than_the_client_reads(
    served: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    async with started_download(served, kim):
        await eventually(lambda: is_stalled(database), True)
        done = await rows_done(database)
        assert 0 < done < 8000


async def rows_done(database: Database) -> int:
    return int(
        await database.fetchval(
            "select max(tuples_processed) from pg_stat_progress_copy"
            " where datname = current_database()"
        )
        or 0
    )


async def is_stalled(database: Database) -> bool:
    """Tell whether Postgres has written some rows, and then no more for 0.4 s."""
    counts = set()
    for _ in range(5):
        counts.add(await rows_done(database))
        await asyncio.sleep(0.1)
    return len(counts) == 1 and counts != {0}


API_WITH_SHORT_WINDOW = """
from app import asgi
from app.exports.csv import DownloadLimits

asgi.main(download_limits=DownloadLimits(window_s=3))
"""
"""The API with a window of 3 s."""


async def test_postgres_connection_is_freed_if_the_client_stops_reading(
    environ: dict[str, str], resources: Resources, kim: Person
) -> None:
    async with (
        serving(environ, "-c", API_WITH_SHORT_WINDOW) as (api, running),
        started_download(api, kim) as pieces,
    ):
        await eventually(lambda: active_downloads(resources.database), 0)
        with pytest.raises(httpx.RemoteProtocolError):
            [piece async for piece in pieces]
    assert "download.cut_off" in running.output
    assert "Traceback" not in running.output


def test_download_limits_are_15_minutes_and_50_kb_a_second_over_30_seconds() -> None:
    assert DOWNLOAD_LIMITS == (900, 50_000, 30)


async def test_client_that_reads_too_slowly_is_cut_off(resources: Resources, kim: Person) -> None:
    limits = DownloadLimits(min_bytes_per_s=10_000_000, window_s=0.3)

    async def read_slowly(_: bytes) -> None:
        await asyncio.sleep(0.1)

    with pytest.raises(DownloadTooSlow, match="10,000,000 bytes a second"):
        await stream_to(resources, kim, read_slowly, limits)


async def test_client_that_stops_reading_is_cut_off(resources: Resources, kim: Person) -> None:
    async def stop_reading(_: bytes) -> None:
        await asyncio.Event().wait()

    with pytest.raises(DownloadTooSlow):
        await stream_to(resources, kim, stop_reading, DownloadLimits(window_s=0.1))
    await stream_to(resources, kim, read_at_once, RELAXED)  # the connection is still usable


async def test_client_just_above_the_minimum_rate_is_served(
    resources: Resources, kim: Person
) -> None:
    """Only the client moves this clock, by more than two windows in total."""
    limits = DownloadLimits(max_duration_s=3600, min_bytes_per_s=50_000, window_s=300)
    now = 0.0

    async def read_steadily(data: bytes) -> None:
        nonlocal now
        now += 0.9 * len(data) / limits.min_bytes_per_s
        await asyncio.sleep(0)

    await stream_to(resources, kim, read_steadily, limits, clock=lambda: now)

    assert now > 2 * limits.window_s


async def test_download_is_cut_off_at_the_maximum_duration(
    resources: Resources, kim: Person
) -> None:
    async def read_steadily(_: bytes) -> None:
        await asyncio.sleep(0.05)

    with pytest.raises(DownloadTooSlow, match="after 0 s"):
        await stream_to(resources, kim, read_steadily, DownloadLimits(max_duration_s=0.3))


async def test_all_chunks_but_the_last_hold_at_least_64_kib(
    resources: Resources, kim: Person
) -> None:
    sizes: list[int] = []

    async def measure(data: bytes) -> None:
        sizes.append(len(data))

    await stream_to(resources, kim, measure, RELAXED)

    assert min(sizes[:-1]) >= 64 * 1024
    assert sum(sizes) > 40_000_000


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(first=date(2020, 3, 1), last=date(2020, 8, 31)),
        Filters(type="run"),
        Filters(first=date(2020, 3, 1), type="swim"),
    ],
)
async def test_export_query_needs_no_sort_whatever_the_filters(
    resources: Resources, database: Database, filters: Filters
) -> None:
    sam = await person(database, "sam")
    await add_activities(database, sam.id, 20_000)
    await execute_as_owner(database, "analyze activities")
    query = statements.activities_csv(
        user_id=sam.id, first=filters.first, last=filters.last, type=filters.type
    )

    async with resources.snapshots.open() as snapshot:
        await copy(snapshot, sam.id, filters, read_at_once)
        rows = await snapshot.fetch(f"explain {query.sql}", *query.args)

    plan = "\n".join(row[0] for row in rows)
    assert "Sort" not in plan
    assert "using activities_newest_first" in plan


async def test_all_rows_are_read_from_one_snapshot(
    resources: Resources, database: Database
) -> None:
    sam = await person(database, "sam")
    await add_activities(database, sam.id, 20_000)
    lines = 0

    async def interfere(data: bytes) -> None:
        nonlocal lines
        if not lines:
            await database.execute("delete from activities where user_id = $1", sam.id)
            await add_activities(database, sam.id, 10)
        lines += data.count(b"\n")

    await stream_to(resources, sam, interfere, RELAXED)

    assert lines == 20_001


async def test_slow_clients_give_way_to_a_new_download_after_a_window(
    resources: Resources, database: Database, kim: Person
) -> None:
    """All clients read twice as fast as they must, and stop for a window's time. Only they move
    the clock."""
    now = 0.0
    limits = DownloadLimits(max_duration_s=3600, min_bytes_per_s=50_000, window_s=300)
    downloads = Downloads(limits, clock=lambda: now)

    async def read_slowly(size_read: list[int], has_stopped: asyncio.Event, data: bytes) -> None:
        nonlocal now
        now += len(data) / limits.min_bytes_per_s / 2
        size_read.append(len(data))
        if sum(size_read) > 2 * limits.min_bytes_per_s * limits.window_s:
            has_stopped.set()
            await asyncio.Event().wait()

    size = resources.settings.database.export_pool_size
    slow = [await person_with_activities(database, f"slow-{number}") for number in range(size)]
    have_stopped = [asyncio.Event() for _ in slow]
    reading = [
        asyncio.create_task(
            stream_with(downloads, resources, who, partial(read_slowly, [], has_stopped))
        )
        for who, has_stopped in zip(slow, have_stopped, strict=True)
    ]
    for has_stopped in have_stopped:
        await has_stopped.wait()
    await stream_with(downloads, resources, kim, read_at_once)

    ended, others = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
    (cut_off,) = ended
    with pytest.raises(DownloadTooSlow, match="make room"):
        cut_off.result()
    await cancel_all(others)


async def test_download_does_not_give_way_before_it_has_waited_for_its_client_for_a_window(
    resources: Resources, database: Database, kim: Person
) -> None:
    downloads = Downloads(RELAXED, clock=lambda: 0.0)
    size = resources.settings.database.export_pool_size
    waiting = [asyncio.Event() for _ in range(size)]

    async def read_nothing(has_begun: asyncio.Event, _: bytes) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    reading = [
        asyncio.create_task(
            stream_with(
                downloads,
                resources,
                await person_with_activities(database, f"slow-{number}"),
                partial(read_nothing, has_begun),
            )
        )
        for number, has_begun in enumerate(waiting)
    ]
    for has_begun in waiting:
        await has_begun.wait()
    with pytest.raises(Busy):
        await stream_with(downloads, resources, kim, read_at_once)
    assert not any(task.done() for task in reading)
    await cancel_all(reading)


async def test_download_that_is_about_to_end_need_not_give_way(
    resources: Resources, database: Database, kim: Person
) -> None:
    """Its client has read everything, slowly. Only its snapshot has yet to close."""
    now = 0.0
    downloads = Downloads(RELAXED, clock=lambda: now)
    sam = await person(database, "sam")
    await add_activities(database, sam.id, 10)
    snapshots = ClosedLate(resources.snapshots.pool)

    async def read_slowly(_: bytes) -> None:
        nonlocal now
        now += 2 * RELAXED.window_s

    async with AsyncExitStack() as stack:
        for _ in range(resources.settings.database.export_pool_size - 1):
            await stack.enter_async_context(snapshots.pool.acquire())
        ending = asyncio.create_task(
            stream_with(downloads, resources, sam, read_slowly, snapshots=snapshots)
        )
        await snapshots.all_read.wait()
        with pytest.raises(Busy):
            await stream_with(downloads, resources, kim, read_at_once)
        snapshots.may_close.set()
        await ending


class ClosedLate(Snapshots):
    """Snapshots that do not close until they may."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.all_read = asyncio.Event()
        self.may_close = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Snapshot]:
        async with super().open() as snapshot:
            yield snapshot
            self.all_read.set()
            await self.may_close.wait()


async def test_too_many_downloads_raise_busy_not_unavailable(
    resources: Resources, kim: Person
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(resources.settings.database.export_pool_size):
            await stack.enter_async_context(resources.snapshots.pool.acquire())
        with pytest.raises(Busy):
            await stream_to(resources, kim, read_at_once, RELAXED)


async def read_at_once(_: bytes) -> None:
    """Read without delay."""


async def stream_to(
    resources: Resources,
    who: Person,
    write: Write,
    limits: DownloadLimits,
    *,
    clock: Callable[[], float] = monotonic,
) -> None:
    await stream_with(Downloads(limits, clock), resources, who, write)


async def stream_with(
    downloads: Downloads,
    resources: Resources,
    who: Person,
    write: Write,
    *,
    snapshots: Snapshots | None = None,
) -> None:
    async def begin() -> None: ...

    await downloads.stream(
        snapshots or resources.snapshots, who.id, Filters(), begin, write, bom=False
    )
