"""The pool of PDF subprocesses, as the worker sees it."""

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
from app.pdf.protocol import (
    RenderingFailed,
    RenderingOutOfMemory,
    RenderingProcessDied,
    RenderingTimedOut,
)

log = structlog.get_logger()

PROJECT = Path(__file__).parents[2]
CHUNK_BYTES = 64 * 1024


class RenderLimits(NamedTuple):
    """The limits for one document, and for an idle process."""

    timeout_s: float = 300
    memory_bytes: int = 512 * 1024 * 1024
    """The memory limit of a process. Only Linux enforces it."""
    idle_timeout_s: float = 60
    """A process that has been idle for this long is killed."""


class RenderedPdf:
    """A rendered document, to be read once, inside the `rendering` block, in chunks of at most
    64 KiB."""

    def __init__(self, process: Process, size: int, pages: int) -> None:
        self._process = process
        self.size = size
        self.pages = pages
        self.unread = size
        """Bytes that have not been read yet."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.unread:
            chunk = await _stdout(self._process).read(min(CHUNK_BYTES, self.unread))
            if not chunk:
                raise RenderingProcessDied(
                    "the PDF process exited while its document was being read"
                )
            self.unread -= len(chunk)
            yield chunk

    async def read(self) -> bytes:
        """Read the whole document. Only for documents that are known to be small.

        Raises:
            RenderingProcessDied: the process exited.
        """
        return b"".join([chunk async for chunk in self])


class Rendering:
    """A document that is being rendered, in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._pdf: RenderedPdf | None = None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def fully_read(self) -> bool:
        """Whether the document was read to its end, so that the process can render another."""
        return self._pdf is not None and not self._pdf.unread

    async def send_rows(self, batch: Sequence[tuple[Any, ...]]) -> None:
        """Send rows. Waits while the process is behind, so that rows do not pile up.

        Raises:
            RenderingFailed: the document could not be rendered, and this rendering cannot continue.
        """
        if batch:
            await self.send(protocol.frame(msgspec.msgpack.encode(batch)))

    async def finish(self) -> RenderedPdf:
        """Signal the end of the rows, and wait until the document is complete.

        Raises:
            RenderingFailed: the document could not be rendered.
        """
        await self.send(protocol.END)
        result = await self._result()
        self._pdf = RenderedPdf(self._process, result.size, result.pages)
        return self._pdf

    async def send(self, frame: bytes) -> None:
        """Send a frame.

        Raises:
            RenderingFailed: the process no longer accepts frames.
        """
        stdin = _stdin(self._process)
        try:
            stdin.write(frame)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self._result()
            raise RenderingProcessDied(
                "the PDF process exited before it had read all rows"
            ) from None

    async def _result(self) -> protocol.RenderResult:
        """Wait for the result.

        Raises:
            RenderingFailed: the document could not be rendered, or the process died.
        """
        stdout = _stdout(self._process)
        try:
            (length,) = protocol.LENGTH.unpack(await stdout.readexactly(protocol.LENGTH.size))
            content = await stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise RenderingProcessDied("the PDF process exited without a result") from None
        result = msgspec.msgpack.decode(content, type=protocol.RenderResult)
        match result.outcome:
            case "failed":
                raise RenderingFailed(result.error)
            case "out of memory":
                raise RenderingOutOfMemory("the PDF exceeded the memory limit")
        return result


class Renderer:
    """A pool of processes that each render one document at a time, and are reused.

    A process is started when it is first needed. It is killed if its document was not rendered and
    read to the end, and another can then be started. It is also killed after a minute without work.
    """

    def __init__(self, max_processes: int, limits: RenderLimits) -> None:
        self._limits = limits
        self._capacity = asyncio.Semaphore(max_processes)
        self._idle: dict[Process, asyncio.TimerHandle] = {}
        self._busy: set[Process] = set()
        self._ending: set[asyncio.Task[Any]] = set()

    @property
    def idle(self) -> Sequence[Process]:
        """The processes that are waiting for a document."""
        return tuple(self._idle)

    @property
    def busy(self) -> Sequence[Process]:
        """The processes that are rendering a document."""
        return tuple(self._busy)

    @asynccontextmanager
    async def rendering(self, document: str, header: msgspec.Struct) -> AsyncIterator[Rendering]:
        """Wait for a free process, and start rendering a document.

        The process is killed if the block ends before the document has been read to its end.

        Args:
            document: the module that defines the document.

        Raises:
            RenderingTimedOut: the block exceeded the time limit, which excludes the wait for a
                process.
            RenderingFailed: the process could not start rendering the document.
        """
        async with self._capacity:
            process = await self._take_process()
            rendering = Rendering(process)
            limit = asyncio.timeout(self._limits.timeout_s)
            try:
                async with limit:
                    await rendering.send(protocol.encode_request(document, header))
                    yield rendering
            except TimeoutError as error:
                if not limit.expired():
                    raise
                seconds = f"{self._limits.timeout_s:.0f} s"
                raise RenderingTimedOut(f"the PDF took longer than {seconds}") from error
            finally:
                self._busy.discard(process)
                if rendering.fully_read:
                    self._keep(process)
                else:
                    log.warning("pdf.process_killed", document=document)
                    self._end(process)

    async def close(self) -> None:
        """Kill all processes, including busy ones."""
        for process in [*self._idle, *self._busy]:
            self._end(process)
        await asyncio.gather(*self._ending)

    async def _take_process(self) -> Process:
        """Take an idle process, or start one."""
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
                str(self._limits.memory_bytes),
                str(os.getpid()),
            ),
            cwd=PROJECT,
            env={},  # the process must not see our secrets
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # with a priority of its own: see app/process_priority.py
        )
        _stdin(process).transport.set_write_buffer_limits(high=0)  # so that rows do not pile up
        self._busy.add(process)
        return process

    def _keep(self, process: Process) -> None:
        """Keep a process for the next document, until it has been idle for too long."""
        loop = asyncio.get_running_loop()
        self._idle[process] = loop.call_later(self._limits.idle_timeout_s, self._end, process)

    def _end(self, process: Process) -> None:
        """Kill a process in the background."""
        if timer := self._idle.pop(process, None):
            timer.cancel()
        task = asyncio.create_task(_kill(process))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


@asynccontextmanager
async def open_renderer(
    max_processes: int | None = None, limits: RenderLimits | None = None
) -> AsyncIterator[Renderer]:
    """Open a pool that has no processes at first. Closing the pool kills all its processes.

    Args:
        max_processes: by default one fewer than there are CPUs, but at least one, so that one CPU
            is left for other work if possible.
    """
    renderer = Renderer(
        max_processes or max(1, (os.cpu_count() or 1) - 1), limits or RenderLimits()
    )
    try:
        yield renderer
    finally:
        await renderer.close()


async def _kill(process: Process) -> None:
    """Kill a process and close its pipes."""
    if process.returncode is None:
        process.kill()
    await process.communicate()


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 # it was started with a pipe
    return process.stdin


def _stdout(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 # it was started with a pipe
    return process.stdout
