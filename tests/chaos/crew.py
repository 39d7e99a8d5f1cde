"""The workers, which are killed, frozen and told to stop, and replaced, one after another."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from app.embedded.home import ROOT
from app.errors import Unavailable
from app.postgres.database import Database
from app.postgres.pool import Record
from tests.support.outages import frozen
from tests.support.processes import Program, program

WORKER = ("-m", "arq", "tests.chaos.worker.WorkerSettings")
FROZEN_S = 15.0
"""Longer than a lease lasts."""
SECOND_SIGNAL_S = 0.002
RETRY_S = 0.2

ORPHANS = """
select jobs.id, jobs.kind, jobs.attempt, jobs.crashes
from jobs join workers on workers.id = jobs.worker_id
where jobs.state = 'running' and workers.pid = $1
"""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A job that was running in a worker when the worker was killed or frozen."""

    job_id: UUID
    kind: str
    attempt: int
    crashes: int
    """Earlier crashes of this job. From the second crash on, the job is deliberately delayed."""
    at: float


@dataclass(slots=True)
class Member:
    worker: Program
    stack: AsyncExitStack


@dataclass(slots=True)
class Crew:
    environ: Mapping[str, str]
    size: int
    previous: Path | None
    """A checkout of the previous release, which every second worker runs."""
    members: list[Member] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    killed_at: dict[int, float] = field(default_factory=dict)
    """When each process was killed or frozen."""
    started: int = 0
    exited: list[tuple[float, str]] = field(default_factory=list)
    """When a worker that nobody had killed exited with an error, and its output."""
    drained: int = 0
    outputs: list[str] = field(default_factory=list)
    """The output of each worker that has exited."""
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)

    async def start_missing(self) -> None:
        """Start as many workers as are missing."""
        while len(self.members) < self.size:
            previous = self.previous if self.started % 2 else None
            started = program(*WORKER, environ=self.environ, folder=previous or ROOT)
            stack = AsyncExitStack()
            self.members.append(Member(await stack.enter_async_context(started), stack))
            self.started += 1

    async def kill_one(self, database: Database, which: int) -> None:
        """Kill the worker at this position, counting from the oldest, and start another."""
        member = self._take(which)
        if member.worker.is_running:
            await self._record_orphans(database, member.worker, member.worker.kill())
        await self._leave(member)

    async def freeze_one(self, database: Database, which: int) -> None:
        """Freeze a worker for longer than its lease lasts, and let it continue."""
        member = self._take(which)
        if member.worker.is_running:
            with frozen(member.worker.process.pid):
                await self._record_orphans(database, member.worker, asyncio.sleep(0))
                await asyncio.sleep(FROZEN_S)
        self.members.append(member)
        if len(self.members) > self.size:  # it was replaced, like a killed one
            self.stop_one(0)

    def stop_one(self, which: int) -> None:
        """Send a worker two SIGTERMs in quick succession, and start another once it has ended."""
        member = self._take(which)
        leaving = asyncio.create_task(self._drain(member))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def stop_all(self) -> None:
        """Stop all workers and keep their output."""
        await asyncio.gather(*self._leaving)
        for member in self.members:
            if not member.worker.is_running:
                self._note_exit(member)
            await member.stack.aclose()
            self.outputs.append(member.worker.output)
        self.members.clear()

    def count_events(self, event: str) -> int:
        """Count how many times a log event occurs in the workers' output."""
        pattern = re.compile(f'"event": "{re.escape(event)}"')
        return sum(len(pattern.findall(output)) for output in self.outputs)

    def _take(self, which: int) -> Member:
        return self.members.pop(which % len(self.members))

    async def _drain(self, member: Member) -> None:
        if member.worker.is_running:
            member.worker.send(signal.SIGTERM)
            await asyncio.sleep(SECOND_SIGNAL_S)
            with suppress(ProcessLookupError):  # it was still starting, and has ended
                member.worker.send(signal.SIGTERM)
            if await member.worker.ended() == 0:
                self.drained += 1
        await self._leave(member)

    async def _leave(self, member: Member) -> None:
        process = member.worker.process
        was_starting = "worker.started" not in member.worker.output
        if process.pid not in self.killed_at and process.returncode not in (
            {0, -signal.SIGTERM} if was_starting else {0}
        ):
            self._note_exit(member)
        await member.stack.aclose()
        self.outputs.append(member.worker.output)
        await self.start_missing()

    def _note_exit(self, member: Member) -> None:
        self.exited.append((time.time(), member.worker.output))

    async def _record_orphans(
        self, database: Database, worker: Program, lost: Awaitable[None]
    ) -> None:
        """Record when the worker was lost, and which jobs were running in it."""
        at, pid = time.time(), worker.process.pid
        self.killed_at[pid] = at
        await lost
        for row in await self._orphans(database, pid):
            self.orphans.append(Orphan(row["id"], row["kind"], row["attempt"], row["crashes"], at))

    async def _orphans(self, database: Database, pid: int) -> list[Record]:
        while True:
            with suppress(Unavailable):
                return await database.fetch(ORPHANS, pid)
            await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def crew(environ: Mapping[str, str], size: int, previous: Path | None) -> AsyncIterator[Crew]:
    """Run `size` workers while the block runs, then stop them."""
    found = Crew(environ, size, previous)
    try:
        await found.start_missing()
        for member in found.members:
            await member.worker.wait_for_output("worker.started")
        yield found
    finally:
        await asyncio.shield(found.stop_all())
