"""The pool of drawing processes: one document each, killed when it must be, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from msgspec import msgpack

from app import process_priority
from app.pdf import Artists, DrawingFailed, DrawingKilled, OutOfMemory, OutOfTime, open_artists
from app.pdf.renderer import PROJECT, Limits
from tests.pdf.documents import MODULE, Cover
from tests.support.processes import is_alive
from tests.support.working import until

LIMITS = Limits(seconds=300, memory=256 * 1024 * 1024, idle=300)


@pytest.fixture
async def artists() -> AsyncIterator[Artists]:
    async with open_artists(2, LIMITS) as pool:
        yield pool


async def drawn(artists: Artists, what: Any = "echo", rows: Any = ((1, "a"),)) -> tuple[Any, int]:
    """What came back, and the id of the process that drew it."""
    async with artists.drawing(MODULE, Cover(what)) as drawing:
        await drawing.rows(rows)
        finished = await drawing.finish()
        return msgpack.decode(await finished.read()), finished.pages


def children() -> set[int]:
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if "app.pdf.subprocess" in child.cmdline():
                found.add(child.pid)
    return found


async def test_rows_come_out_in_their_order_however_many(artists: Artists) -> None:
    rows = [[number, "row " * 50] for number in range(20_000)]
    async with artists.drawing(MODULE, Cover()) as drawing:
        for first in range(0, len(rows), 1000):
            await drawing.rows([tuple(row) for row in rows[first : first + 1000]])
        finished = await drawing.finish()
        chunks = [chunk async for chunk in finished]
    assert finished.size == sum(map(len, chunks))
    assert max(map(len, chunks)) <= 65536
    assert rows == msgpack.decode(b"".join(chunks))


async def test_a_process_draws_one_document_after_the_other(artists: Artists) -> None:
    _, first = await drawn(artists)
    answer, second = await drawn(artists, rows=())
    assert (first, []) == (second, answer)


async def test_no_more_are_drawn_at_once_than_there_are_places(artists: Artists) -> None:
    answers = await asyncio.gather(*(drawn(artists, rows=((n,),)) for n in range(6)))
    assert [[[n]] for n in range(6)] == [answer for answer, _ in answers]
    assert len({process for _, process in answers}) <= 2


async def test_a_process_knows_no_secret_and_ends_with_the_pool() -> None:
    async with open_artists(1, LIMITS) as artists:
        names, process = await drawn(artists, "environment")
        assert set(names) <= {"LC_CTYPE"}
        assert is_alive(process)
    await until(lambda: not is_alive(process))


async def test_a_process_lets_all_others_go_first(artists: Artists) -> None:
    _, process = await drawn(artists)
    assert max(os.nice(0), process_priority.DRAWING) == os.getpriority(os.PRIO_PROCESS, process)
    refused = set() if os.geteuid() == 0 else {0}  # the kernel may put others than root off
    session = process_priority.session_niceness(process_priority.session_of(process))
    assert session in {process_priority.DRAWING, None} | refused


async def test_no_process_is_started_before_it_is_needed(artists: Artists) -> None:
    before = children()
    _, process = await drawn(artists)
    assert children() - before == {process}


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("raise", DrawingFailed, "these rows cannot be drawn"),
        ("die", DrawingKilled, "without a word"),
        ("swell", OutOfMemory, "more memory"),
    ],
)
async def test_what_fails_is_told_and_the_next_document_is_drawn(
    artists: Artists, what: str, error: type[DrawingFailed], words: str
) -> None:
    if what == "swell" and sys.platform != "linux":
        pytest.skip("only Linux keeps a limit of memory")
    _, process = await drawn(artists)
    with pytest.raises(error, match=words):
        await drawn(artists, what)
    await until(lambda: not is_alive(process))
    answer, other = await drawn(artists)
    assert (answer, True) == ([[1, "a"]], other != process)


async def test_rows_that_nobody_takes_are_told_too(artists: Artists) -> None:
    many = [("x" * 1000,)] * 20_000
    with pytest.raises(DrawingFailed, match="cannot be drawn"):
        await drawn(artists, "raise", many)


async def test_a_document_that_takes_too_long_is_killed() -> None:
    before = children()
    async with open_artists(1, LIMITS._replace(seconds=2)) as artists:
        with pytest.raises(OutOfTime, match="longer than 2 s"):
            await drawn(artists, "hang")
        await until(lambda: not children() - before)
        assert ((), ()) == (artists.idle, artists.busy)


async def test_a_timeout_of_something_else_stays_what_it_is(artists: Artists) -> None:
    with pytest.raises(TimeoutError, match="the bucket"):
        async with artists.drawing(MODULE, Cover()):
            raise TimeoutError("the bucket does not answer")


async def test_a_cancelled_document_is_killed_at_once(artists: Artists) -> None:
    _, process = await drawn(artists)
    begun = asyncio.Event()

    async def hang() -> None:
        async with artists.drawing(MODULE, Cover("hang")) as drawing:
            assert drawing.pid == process
            begun.set()
            await drawing.finish()

    hanging = asyncio.create_task(hang())
    await until(begun.is_set)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await until(lambda: not is_alive(process))
    assert (await drawn(artists))[0] == [[1, "a"]]


async def test_a_document_that_is_left_before_it_was_read_is_not_mixed_with_the_next(
    artists: Artists,
) -> None:
    async with artists.drawing(MODULE, Cover()) as drawing:
        await drawing.rows([("x" * 1_000_000,)])
        await drawing.finish()
    assert (await drawn(artists))[0] == [[1, "a"]]


async def test_a_process_that_died_while_it_waited_is_replaced(artists: Artists) -> None:
    _, process = await drawn(artists)
    os.kill(process, signal.SIGKILL)
    await until(lambda: all(idle.returncode is not None for idle in artists.idle))  # it is reaped
    assert (await drawn(artists))[0] == [[1, "a"]]


async def test_a_process_that_has_nothing_to_do_ends() -> None:
    async with open_artists(1, LIMITS._replace(idle=0.2)) as artists:
        _, process = await drawn(artists)
        await until(lambda: not is_alive(process))
        assert (await drawn(artists))[0] == [[1, "a"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_that_end_a_worker_let_it_draw_on(
    artists: Artists, number: signal.Signals
) -> None:
    await drawn(artists)
    async with artists.drawing(MODULE, Cover()) as drawing:
        await drawing.rows([(1,)])
        process = drawing.pid
        assert os.getsid(process) == process  # which a terminal's signals do not reach
        os.kill(process, number)
        assert msgpack.decode(await (await drawing.finish()).read()) == [[1]]


OWNER = """
import asyncio
from app.pdf import open_artists
from tests.pdf.documents import MODULE, Cover

async def main():
    async with open_artists(1) as artists:
        async with artists.drawing(MODULE, Cover()) as drawing:
            print((await (await drawing.finish()).read()) and drawing.pid, flush=True)
        async with artists.drawing(MODULE, Cover("hang")) as drawing:
            await drawing.finish()

asyncio.run(main())
"""


async def test_a_process_does_not_outlive_a_worker_that_is_killed() -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER), cwd=PROJECT, stdout=PIPE
    )
    assert owner.stdout is not None
    process = int(await owner.stdout.readline())
    assert is_alive(process)
    owner.kill()
    await owner.wait()
    await until(lambda: not is_alive(process))
