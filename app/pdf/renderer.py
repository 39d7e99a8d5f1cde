"""The pool of drawing processes, as the event loop sees it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from app.pdf import protocol
from app.pdf.protocol import DrawingFailed, DrawingKilled, OutOfMemory, OutOfTime

log = structlog.get_logger()

PROJECT = Path(__file__).parents[2]
CHUNK = 64 * 1024


class Limits(NamedTuple):
    """Of one document, and of how long a process waits for its next."""

    seconds: float = 300
    memory: int = 512 * 1024 * 1024
    """Bytes that its process may hold. Kept by the kernel, on Linux."""
    idle: float = 60


class Finished:
    """A finished document, read once, in chunks of at most 64 KiB, before its drawing is left."""

    def __init__(self, process: Process, size: int, pages: int) -> None:
        self._process = process
        self.size = size
        self.pages = pages
        self.left = size
        """Bytes that are not read yet."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.left:
            chunk = await _stdout(self._process).read(min(CHUNK, self.left))
            if not chunk:
                raise DrawingKilled("the PDF process exited while its document was being read")
            self.left -= len(chunk)
            yield chunk

    async def read(self) -> bytes:
        """The whole of it, for a document that is known to be small.

        Raises:
            DrawingKilled: its process ended.
        """
        return b"".join([chunk async for chunk in self])


class Drawing:
    """A document that is being drawn in a process that is all its own."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._finished: Finished | None = None

    @property
    def pid(self) -> int:
        """The id of the process that draws it."""
        return self._process.pid

    @property
    def complete(self) -> bool:
        """The document was read to its end: the process is ready for another."""
        return self._finished is not None and not self._finished.left

    async def rows(self, batch: Sequence[tuple[Any, ...]]) -> None:
        """Hand on rows. Waits while the process is behind, so that none pile up.

        Raises:
            DrawingFailed: and why; nothing more can be done with this drawing.
        """
        if batch:
            await self.send(protocol.frame(msgspec.msgpack.encode(batch)))

    async def finish(self) -> Finished:
        """Have the last page drawn.

        Raises:
            DrawingFailed: and why.
        """
        await self.send(protocol.END)
        answer = await self._answer()
        self._finished = Finished(self._process, answer.size, answer.pages)
        return self._finished

    async def send(self, frame: bytes) -> None:
        """
        Raises:
            DrawingFailed: the process takes no more.
        """
        stdin = _stdin(self._process)
        try:
            stdin.write(frame)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self._answer()
            raise DrawingKilled("the PDF process exited before it had read all rows") from None

    async def _answer(self) -> protocol.Answer:
        """What the process says, once it says something.

        Raises:
            DrawingFailed: it says why; or it died.
        """
        stdout = _stdout(self._process)
        try:
            (length,) = protocol.LENGTH.unpack(await stdout.readexactly(protocol.LENGTH.size))
            content = await stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise DrawingKilled("the PDF process exited without a result") from None
        answer = msgspec.msgpack.decode(content, type=protocol.Answer)
        match answer.outcome:
            case "failed":
                raise DrawingFailed(answer.error)
            case "out of memory":
                raise OutOfMemory("the PDF exceeded the memory limit")
        return answer


class Renderer:
    """So many documents are drawn at once, each in one process that is kept for the next one.

    A process is started when it is first needed. One whose document failed, was cancelled, or took
    too long or too much memory is killed, and its place is free for a new one. One that has waited
    for a minute ends.
    """

    def __init__(self, places: int, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(places)
        self._idle: dict[Process, asyncio.TimerHandle] = {}
        self._busy: set[Process] = set()
        self._ending: set[asyncio.Task[Any]] = set()

    @property
    def idle(self) -> Sequence[Process]:
        """The processes that wait for a document."""
        return tuple(self._idle)

    @property
    def busy(self) -> Sequence[Process]:
        """The processes that draw a document."""
        return tuple(self._busy)

    @asynccontextmanager
    async def drawing(self, document: str, header: msgspec.Struct) -> AsyncIterator[Drawing]:
        """Wait for a free place, and have a document drawn. Leaving early kills its process.

        Args:
            document: the module that draws it.

        Raises:
            OutOfTime: the block took longer than a document may, the wait for a place aside.
            DrawingFailed: the process could not even begin.
        """
        async with self._places:
            process = await self._process()
            drawing = Drawing(process)
            limit = asyncio.timeout(self._limits.seconds)
            try:
                async with limit:
                    await drawing.send(protocol.order(document, header))
                    yield drawing
            except TimeoutError as error:
                if not limit.expired():
                    raise
                seconds = f"{self._limits.seconds:.0f} s"
                raise OutOfTime(f"the PDF took longer than {seconds}") from error
            finally:
                self._busy.discard(process)
                if drawing.complete:
                    self._keep(process)
                else:
                    log.warning("pdf.process_killed", document=document)
                    self._end(process)

    async def close(self) -> None:
        """Kill all processes, also those that draw."""
        for process in [*self._idle, *self._busy]:
            self._end(process)
        await asyncio.gather(*self._ending)

    async def _process(self) -> Process:
        while self._idle:
            process, timer = self._idle.popitem()
            timer.cancel()
            if process.returncode is None:
                self._busy.add(process)
                return process
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "app.pdf.subprocess",
                str(self._limits.memory),
                str(os.getpid()),
            ),
            cwd=PROJECT,
            env={},  # no secret of ours
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # which gives way as a whole
        )
        _stdin(process).transport.set_write_buffer_limits(high=0)  # rows are not sent in a rush
        self._busy.add(process)
        return process

    def _keep(self, process: Process) -> None:
        timer = asyncio.get_running_loop().call_later(self._limits.idle, self._end, process)
        self._idle[process] = timer

    def _end(self, process: Process) -> None:
        if timer := self._idle.pop(process, None):
            timer.cancel()
        task = asyncio.create_task(_killed(process))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


@asynccontextmanager
async def open_renderer(
    places: int | None = None, limits: Limits | None = None
) -> AsyncIterator[Renderer]:
    """A pool without a process yet. Closing it kills all that are left.

    Args:
        places: by default one for each processor but one, which is left to those who wait for an
            answer meanwhile.
    """
    renderer = Renderer(places or max(1, (os.cpu_count() or 1) - 1), limits or Limits())
    try:
        yield renderer
    finally:
        await renderer.close()


async def _killed(process: Process) -> None:
    """Kill a process and close its pipes."""
    if process.returncode is None:
        process.kill()
    await process.communicate()


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 # it was started with one
    return process.stdin


def _stdout(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 # it was started with one
    return process.stdout
