"""The PDF subprocesses: their reuse, their limits on time and memory, and their end."""

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
from app.pdf import (
    Renderer,
    RenderingFailed,
    RenderingOutOfMemory,
    RenderingProcessDied,
    RenderingTimedOut,
    open_renderer,
)
from app.pdf.renderer import PROJECT, RenderLimits
from tests.pdf.documents import MODULE, Header
from tests.support.processes import is_alive
from tests.support.working import until

LIMITS = RenderLimits(timeout_s=300, memory_bytes=256 * 1024 * 1024, idle_timeout_s=300)


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with open_renderer(2, LIMITS) as opened:
        yield opened


async def render(
    renderer: Renderer, what: Any = "echo", rows: Any = ((1, "a"),)
) -> tuple[Any, int]:
    """Render a document and return its content and the process's id."""
    async with renderer.rendering(MODULE, Header(what)) as rendering:
        await rendering.send_rows(rows)
        finished = await rendering.finish()
        return msgpack.decode(await finished.read()), finished.pages


def children() -> set[int]:
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if "app.pdf.subprocess" in child.cmdline():
                found.add(child.pid)
    return found


async def test_many_rows_keep_their_order(renderer: Renderer) -> None:
    rows = [[number, "row " * 50] for number in range(20_000)]
    async with renderer.rendering(MODULE, Header()) as rendering:
        for first in range(0, len(rows), 1000):
            await rendering.send_rows([tuple(row) for row in rows[first : first + 1000]])
        finished = await rendering.finish()
        chunks = [chunk async for chunk in finished]
    assert finished.size == sum(map(len, chunks))
    assert max(map(len, chunks)) <= 65536
    assert rows == msgpack.decode(b"".join(chunks))


async def test_process_is_reused_for_the_next_document(renderer: Renderer) -> None:
    _, first = await render(renderer)
    answer, second = await render(renderer, rows=())
    assert (first, []) == (second, answer)


async def test_concurrent_documents_share_at_most_two_processes(
    renderer: Renderer,
) -> None:
    answers = await asyncio.gather(*(render(renderer, rows=((n,),)) for n in range(6)))
    assert [[[n]] for n in range(6)] == [answer for answer, _ in answers]
    assert len({process for _, process in answers}) <= 2


async def test_process_inherits_no_environment_variables_and_exits_when_its_renderer_closes() -> (
    None
):
    async with open_renderer(1, LIMITS) as renderer:
        names, process = await render(renderer, "environment")
        assert set(names) <= {"LC_CTYPE"}
        assert is_alive(process)
    await until(lambda: not is_alive(process))


async def test_process_runs_at_low_priority(renderer: Renderer) -> None:
    _, process = await render(renderer)
    assert max(os.nice(0), process_priority.PDF_NICENESS) == os.getpriority(
        os.PRIO_PROCESS, process
    )
    # The kernel may refuse the change if we are not root.
    refused = set() if os.geteuid() == 0 else {0}
    session = process_priority.session_niceness(process_priority.session_file(process))
    assert session in {process_priority.PDF_NICENESS, None} | refused


async def test_processes_are_started_on_demand(renderer: Renderer) -> None:
    before = children()
    _, process = await render(renderer)
    assert children() - before == {process}


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("raise", RenderingFailed, "these rows cannot be drawn"),
        ("die", RenderingProcessDied, "without a result"),
        ("use memory", RenderingOutOfMemory, "memory limit"),
    ],
)
async def test_failure_is_raised_and_the_next_document_succeeds(
    renderer: Renderer, what: str, error: type[RenderingFailed], words: str
) -> None:
    if what == "use memory" and sys.platform != "linux":
        pytest.skip("only Linux enforces a memory limit")
    _, process = await render(renderer)
    with pytest.raises(error, match=words):
        await render(renderer, what)
    await until(lambda: not is_alive(process))
    answer, other = await render(renderer)
    assert (answer, True) == ([[1, "a"]], other != process)


async def test_failure_is_raised_while_rows_are_being_sent(renderer: Renderer) -> None:
    many = [("x" * 1000,)] * 20_000
    with pytest.raises(RenderingFailed, match="cannot be drawn"):
        await render(renderer, "raise", many)


async def test_process_that_exceeds_the_time_limit_is_killed() -> None:
    before = children()
    async with open_renderer(1, LIMITS._replace(timeout_s=2)) as renderer:
        with pytest.raises(RenderingTimedOut, match="longer than 2 s"):
            await render(renderer, "hang")
        await until(lambda: not children() - before)
        assert ((), ()) == (renderer.idle, renderer.busy)


async def test_timeout_raised_by_the_caller_is_not_mistaken_for_a_rendering_timeout(
    renderer: Renderer,
) -> None:
    with pytest.raises(TimeoutError, match="the bucket"):
        async with renderer.rendering(MODULE, Header()):
            raise TimeoutError("the bucket does not answer")


async def test_process_of_a_cancelled_document_is_killed(renderer: Renderer) -> None:
    _, process = await render(renderer)
    started = asyncio.Event()

    async def hang() -> None:
        async with renderer.rendering(MODULE, Header("hang")) as rendering:
            assert rendering.pid == process
            started.set()
            await rendering.finish()

    hanging = asyncio.create_task(hang())
    await until(started.is_set)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await until(lambda: not is_alive(process))
    assert (await render(renderer))[0] == [[1, "a"]]


async def test_unread_output_does_not_leak_into_the_next_document(renderer: Renderer) -> None:
    async with renderer.rendering(MODULE, Header()) as rendering:
        await rendering.send_rows([("x" * 1_000_000,)])
        await rendering.finish()
    assert (await render(renderer))[0] == [[1, "a"]]


async def test_idle_process_that_died_is_replaced(renderer: Renderer) -> None:
    _, process = await render(renderer)
    os.kill(process, signal.SIGKILL)
    await until(lambda: all(idle.returncode is not None for idle in renderer.idle))
    assert (await render(renderer))[0] == [[1, "a"]]


async def test_idle_process_exits_after_its_timeout() -> None:
    async with open_renderer(1, LIMITS._replace(idle_timeout_s=0.2)) as renderer:
        _, process = await render(renderer)
        await until(lambda: not is_alive(process))
        assert (await render(renderer))[0] == [[1, "a"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_process_ignores_the_signals_that_stop_a_worker(
    renderer: Renderer, number: signal.Signals
) -> None:
    await render(renderer)
    async with renderer.rendering(MODULE, Header()) as rendering:
        await rendering.send_rows([(1,)])
        process = rendering.pid
        assert os.getsid(process) == process  # signals from a terminal do not reach it
        os.kill(process, number)
        assert msgpack.decode(await (await rendering.finish()).read()) == [[1]]


OWNER = """
import asyncio
from app.pdf import open_renderer
from tests.pdf.documents import MODULE, Header

async def main():
    async with open_renderer(1) as renderer:
        async with renderer.rendering(MODULE, Header()) as rendering:
            print((await (await rendering.finish()).read()) and rendering.pid, flush=True)
        async with renderer.rendering(MODULE, Header("hang")) as rendering:
            await rendering.finish()

asyncio.run(main())
"""


async def test_process_exits_when_the_process_that_started_it_is_killed() -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER), cwd=PROJECT, stdout=PIPE
    )
    assert owner.stdout is not None
    process = int(await owner.stdout.readline())
    assert is_alive(process)
    owner.kill()
    await owner.wait()
    await until(lambda: not is_alive(process))
