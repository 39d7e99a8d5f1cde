"""Downloads of any size: what a reader may take, and what is left when they go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from time import monotonic

import httpx
import pytest

from app.embedded.ports import free_ports
from app.errors import Busy
from app.exports import statements
from app.exports.csv import DOWNLOAD_LIMITS, DownloadLimits, DownloadTooSlow, copy, stream
from app.exports.export import Filters
from app.postgres.database import Database
from app.resources import Resources
from tests.support.exports import CSV, add_activities, add_megabytes
from tests.support.outages import terminate_backends
from tests.support.people import Person, person
from tests.support.processes import API, program
from tests.support.working import WAIT_LIMIT_S, eventually

POOL = 2
BUSY = 503
READERS = "activelog-api-exports"

RELAXED = DownloadLimits(max_duration_s=3600, window_s=3600)
"""For readers who are as slow as the machine."""

Write = Callable[[bytes], Awaitable[None]]


@pytest.fixture
async def kim(database: Database) -> Person:
    """Somebody with 40 MB of activities."""
    kim = await person(database, "kim")
    await add_megabytes(database, kim.id, 40)
    return kim


@pytest.fixture
async def served(environ: dict[str, str], resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    """The API as a process of its own, which reads two exports at once."""
    async with serving(environ, *API) as api:
        yield api


@asynccontextmanager
async def serving(environ: dict[str, str], *arguments: str) -> AsyncIterator[httpx.AsyncClient]:
    (port,) = free_ports(1)
    variables = {"PORT": str(port), "EXPORT_POOL": str(POOL), "PATH": "/usr/bin"}
    async with program(*arguments, environ={**environ, **variables}) as running:
        await running.says("api.started")
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=WAIT_LIMIT_S) as api:
            yield api


@asynccontextmanager
async def begun(api: httpx.AsyncClient, who: Person) -> AsyncIterator[AsyncIterator[bytes]]:
    """A download of which the first bytes are read, and the rest of it.

    Raises:
        TimeoutError: all connections stayed taken for `WAIT_LIMIT_S`.
    """
    async with asyncio.timeout(WAIT_LIMIT_S) as limit:
        while True:
            async with api.stream("GET", CSV, headers=who.headers) as answer:
                if answer.status_code == BUSY:
                    continue
                assert answer.status_code == 200
                limit.reschedule(None)
                pieces = answer.aiter_raw(1024)
                assert (await anext(pieces)).startswith(b"Date,Type,")
                yield pieces
                return


async def reading(database: Database) -> int:
    """How many downloads are read from Postgres."""
    return int(
        await database.fetchval(
            "select count(*) from pg_stat_activity"
            " where application_name = $1 and state <> 'idle' and datname = current_database()",
            READERS,
        )
    )


async def test_a_hundred_aborted_downloads_leave_the_pool_whole(
    served: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    async def abort(count: int) -> None:
        for _ in range(count):
            async with begun(served, kim):
                pass

    await asyncio.gather(abort(50), abort(50))

    await eventually(lambda: reading(database), 0)
    async with begun(served, kim), begun(served, kim):
        assert await reading(database) == POOL


async def test_one_more_than_can_be_read_at_once_is_told_to_come_back(
    served: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    async with begun(served, kim):
        async with begun(served, kim):
            refused = await served.get(CSV, headers=kim.headers)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            me = await served.get("/api/v1/users/me", headers=kim.headers)
            assert me.status_code == 200
        await eventually(lambda: reading(database), 1)
        async with begun(served, kim):
            pass


async def test_a_download_that_breaks_in_the_middle_does_not_end_well(
    served: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    async with begun(served, kim) as pieces:
        assert await terminate_backends(database, READERS) >= 1
        with pytest.raises(httpx.RemoteProtocolError):
            [piece async for piece in pieces]

    async with begun(served, kim):
        pass  # and another gets a connection


async def test_postgres_is_read_no_faster_than_the_reader_reads(
    served: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    async with begun(served, kim):
        await eventually(lambda: stands_still(database), True)
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


async def stands_still(database: Database) -> bool:
    """Whether Postgres has written some rows and, at several looks, no more."""
    looks = set()
    for _ in range(5):
        looks.add(await rows_done(database))
        await asyncio.sleep(0.1)
    return len(looks) == 1 and looks != {0}


IMPATIENT = """
from app import asgi
from app.exports.csv import DownloadLimits

asgi.main(download_limits=DownloadLimits(window_s=3))
"""
"""The API as it is, but it waits for a reader for 3 s only."""


async def test_a_reader_who_stops_and_stays_gives_the_connection_back(
    environ: dict[str, str], resources: Resources, kim: Person
) -> None:
    async with serving(environ, "-c", IMPATIENT) as api, begun(api, kim) as pieces:
        await eventually(lambda: reading(resources.database), 0)
        with pytest.raises(httpx.RemoteProtocolError):
            [piece async for piece in pieces]


def test_a_reader_has_15_minutes_and_50_kilobytes_a_second_over_half_a_minute() -> None:
    assert DOWNLOAD_LIMITS == (900, 50_000, 30)


async def test_a_reader_who_hardly_reads_is_cut_off(resources: Resources, kim: Person) -> None:
    limits = DownloadLimits(min_bytes_per_s=10_000_000, window_s=0.3)

    async def crawl(_: bytes) -> None:
        await asyncio.sleep(0.1)

    with pytest.raises(DownloadTooSlow, match="10,000,000 bytes a second"):
        await streamed(resources, kim, crawl, limits)


async def test_a_reader_who_stops_is_cut_off(resources: Resources, kim: Person) -> None:
    async def stop(_: bytes) -> None:
        await asyncio.Event().wait()

    with pytest.raises(DownloadTooSlow):
        await streamed(resources, kim, stop, DownloadLimits(window_s=0.1))
    await streamed(resources, kim, nothing, RELAXED)  # and the connection is good


async def test_a_reader_who_is_only_just_fast_enough_is_served(
    resources: Resources, kim: Person
) -> None:
    """By a clock that only the reader moves: in all for more than two stretches."""
    limits = DownloadLimits(max_duration_s=3600, min_bytes_per_s=50_000, window_s=300)
    now = 0.0

    async def walk(data: bytes) -> None:
        nonlocal now
        now += 0.9 * len(data) / limits.min_bytes_per_s
        await asyncio.sleep(0)

    await streamed(resources, kim, walk, limits, clock=lambda: now)

    assert now > 2 * limits.window_s


async def test_nobody_reads_for_ever(resources: Resources, kim: Person) -> None:
    async def walk(_: bytes) -> None:
        await asyncio.sleep(0.05)

    with pytest.raises(DownloadTooSlow, match="after 0 s"):
        await streamed(resources, kim, walk, DownloadLimits(max_duration_s=0.3))


async def test_pieces_are_large_and_lines_may_end_anywhere(
    resources: Resources, kim: Person
) -> None:
    sizes: list[int] = []

    async def weigh(data: bytes) -> None:
        sizes.append(len(data))

    await streamed(resources, kim, weigh, RELAXED)

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
async def test_no_filter_has_all_rows_sorted_before_the_first_leaves(
    resources: Resources, database: Database, filters: Filters
) -> None:
    sam = await person(database, "sam")
    await add_activities(database, sam.id, 20_000)
    await database.execute("analyze activities")
    query = statements.activities_csv(
        user_id=sam.id, first=filters.first, last=filters.last, type=filters.type
    )

    async with resources.snapshots.open() as snapshot:
        await copy(snapshot, sam.id, filters, nothing)
        rows = await snapshot.fetch(f"explain {query.sql}", *query.args)

    plan = "\n".join(row[0] for row in rows)
    assert "Sort" not in plan
    assert "using activities_newest_first" in plan


async def test_all_rows_are_as_of_one_moment(resources: Resources, database: Database) -> None:
    sam = await person(database, "sam")
    await add_activities(database, sam.id, 20_000)
    lines = 0

    async def interfere(data: bytes) -> None:
        nonlocal lines
        if not lines:
            await database.execute("delete from activities where user_id = $1", sam.id)
            await add_activities(database, sam.id, 10)
        lines += data.count(b"\n")

    await streamed(resources, sam, interfere, RELAXED)

    assert lines == 20_001


async def test_more_readers_than_connections_are_busy_and_not_an_outage(
    resources: Resources, kim: Person
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(resources.settings.database.export_pool_size):
            await stack.enter_async_context(resources.snapshots.pool.acquire())
        with pytest.raises(Busy):
            await streamed(resources, kim, nothing, RELAXED)


async def nothing(_: bytes) -> None:
    """Read at once."""


async def streamed(
    resources: Resources,
    who: Person,
    write: Write,
    limits: DownloadLimits,
    *,
    clock: Callable[[], float] = monotonic,
) -> None:
    async def begin() -> None: ...

    await stream(
        resources.snapshots,
        who.id,
        Filters(),
        begin,
        write,
        bom=False,
        limits=limits,
        clock=clock,
    )
