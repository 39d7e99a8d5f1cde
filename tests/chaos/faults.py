"""What goes wrong, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic

from app.embedded.servers import Valkey
from app.resources import Resources
from tests.chaos.crew import Crew
from tests.support.outages import kill, terminate_backends

KILL_EVERY = 2.0
"""Seconds, give or take a third: a lease is a multiple of them, and what comes back at the end of
one is not to be hit every time."""
DOWN = 1.0
"""Seconds that Redis stays away after a kill."""
FLUSHES = (0.2, 0.5, 0.8)
REDIS_KILLS = (0.35, 0.65)
TERMINATIONS = (0.1, 0.3, 0.55, 0.75, 0.9)
"""All of these as parts of the run's time."""


@dataclass(slots=True)
class Faults:
    """One run's: each as a loop that ends with the run's time."""

    resources: Resources
    valkey: Valkey
    crew: Crew
    draw: Random
    seconds: float
    done: Counter[str] = field(default_factory=Counter)
    _redis_is_there: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """All of them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_workers())
            group.create_task(self._at(FLUSHES, "Redis flushed", self._flush))
            group.create_task(self._at(REDIS_KILLS, "Redis killed and restarted", self._restart))
            group.create_task(self._at(TERMINATIONS, "backends terminated", self._terminate))

    async def _kill_workers(self) -> None:
        began, count = monotonic(), 1
        while KILL_EVERY * count < self.seconds:
            due = began + KILL_EVERY * (count + self.draw.uniform(-0.3, 0.3))
            await asyncio.sleep(max(0.0, due - monotonic()))
            await self.crew.kill_one(self.resources.database, self.draw.randrange(self.crew.size))
            count += 1

    async def _at(
        self, parts: tuple[float, ...], name: str, do: Callable[[], Awaitable[int]]
    ) -> None:
        began = monotonic()
        for part in parts:
            await asyncio.sleep(max(0.0, began + part * self.seconds - monotonic()))
            self.done[name] += await do()

    async def _flush(self) -> int:
        async with self._redis_is_there:
            await self.resources.redis.flushall()
        return 1

    async def _restart(self) -> int:
        async with self._redis_is_there:
            await kill(self.valkey)
            await asyncio.sleep(DOWN)
            await self.valkey.start()
        return 1

    async def _terminate(self) -> int:
        return await terminate_backends(self.resources.database)
