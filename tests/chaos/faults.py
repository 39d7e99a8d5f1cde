"""The faults in a chaos run, and when they are injected."""

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

KILL_INTERVAL_S = 2.0
"""Average seconds between kills. Each kill is shifted by up to 30%, to hit different jobs."""
REDIS_DOWNTIME_S = 1.0
FLUSHES = (0.2, 0.5, 0.8)
REDIS_KILLS = (0.35, 0.65)
TERMINATIONS = (0.1, 0.3, 0.55, 0.75, 0.9)
"""When each of these faults is injected, as fractions of the run."""


@dataclass(slots=True)
class Faults:
    """The faults in one run, each in its own loop that ends with the run."""

    resources: Resources
    valkey: Valkey
    crew: Crew
    rng: Random
    seconds: float
    done: Counter[str] = field(default_factory=Counter)
    _redis_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Inject all faults until the run ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_workers())
            group.create_task(self._at(FLUSHES, "Redis flushed", self._flush))
            group.create_task(self._at(REDIS_KILLS, "Redis killed and restarted", self._restart))
            group.create_task(
                self._at(TERMINATIONS, "Postgres connections terminated", self._terminate)
            )

    async def _kill_workers(self) -> None:
        began, count = monotonic(), 1
        while KILL_INTERVAL_S * count < self.seconds:
            due = began + KILL_INTERVAL_S * (count + self.rng.uniform(-0.3, 0.3))
            await asyncio.sleep(max(0.0, due - monotonic()))
            await self.crew.kill_one(self.resources.database, self.rng.randrange(self.crew.size))
            count += 1

    async def _at(
        self, parts: tuple[float, ...], name: str, do: Callable[[], Awaitable[int]]
    ) -> None:
        began = monotonic()
        for part in parts:
            await asyncio.sleep(max(0.0, began + part * self.seconds - monotonic()))
            self.done[name] += await do()

    async def _flush(self) -> int:
        async with self._redis_lock:
            await self.resources.redis.flushall()
        return 1

    async def _restart(self) -> int:
        async with self._redis_lock:
            await kill(self.valkey)
            await asyncio.sleep(REDIS_DOWNTIME_S)
            await self.valkey.start()
        return 1

    async def _terminate(self) -> int:
        return await terminate_backends(self.resources.database)
