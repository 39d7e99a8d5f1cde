"""The workers, which are killed and replaced one after another."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.postgres.database import Database
from tests.support.processes import Program, program

WORKER = ("-m", "arq", "tests.chaos.worker.WorkerSettings")

ORPHANS = """
select jobs.id, jobs.attempt, jobs.crashes
from jobs join workers on workers.id = jobs.worker_id
where jobs.state = 'running' and workers.pid = $1
"""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A job that was running in a worker when the worker was killed."""

    job_id: UUID
    attempt: int
    crashes: int
    """Earlier crashes of this job. From the second crash on, the job is deliberately delayed."""
    at: datetime


@dataclass(slots=True)
class Crew:
    environ: Mapping[str, str]
    size: int
    members: list[tuple[Program, AsyncExitStack]] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    kills: int = 0
    exited_unexpectedly: list[str] = field(default_factory=list)
    """The output of each worker that exited without being killed."""
    outputs: list[str] = field(default_factory=list)
    """The output of each worker that has exited."""

    async def start_missing(self) -> None:
        """Start as many workers as are missing."""
        while len(self.members) < self.size:
            stack = AsyncExitStack()
            member = await stack.enter_async_context(program(*WORKER, environ=self.environ))
            self.members.append((member, stack))

    async def kill_one(self, database: Database, which: int) -> None:
        """Kill the worker at this position, counting from the oldest, and start another."""
        member, stack = self.members.pop(which % len(self.members))
        if member.is_running:
            at, pid = await database.fetchval("select clock_timestamp()"), member.process.pid
            await member.kill()
            self.kills += 1
            for row in await database.fetch(ORPHANS, pid):
                self.orphans.append(Orphan(row["id"], row["attempt"], row["crashes"], at))
        else:
            self.exited_unexpectedly.append(member.output)
        await stack.aclose()
        self.outputs.append(member.output)
        await self.start_missing()

    async def stop_all(self) -> None:
        """Stop all workers and keep their output."""
        for member, stack in self.members:
            if not member.is_running:
                self.exited_unexpectedly.append(member.output)
            await stack.aclose()
            self.outputs.append(member.output)
        self.members.clear()

    def count_events(self, event: str) -> int:
        """Count how many times a log event occurs in the workers' output."""
        pattern = re.compile(f'"event": "{re.escape(event)}"')
        return sum(len(pattern.findall(output)) for output in self.outputs)


@asynccontextmanager
async def crew(environ: Mapping[str, str], size: int) -> AsyncIterator[Crew]:
    """Run `size` workers while the block runs, then stop them."""
    found = Crew(environ, size)
    try:
        await found.start_missing()
        for member, _ in found.members:
            await member.wait_for_output("worker.started")
        yield found
    finally:
        await asyncio.shield(found.stop_all())
