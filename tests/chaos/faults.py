"""The faults in a chaos run. Worker faults and server faults overlap."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from signal import SIGKILL
from time import monotonic

from app.embedded.daemon import Daemon
from app.jobs.admin.queues import pause_kind, resume_kind
from app.jobs.redis_queue import MARK_KEY, TAKERS_KEY, WAKEUP_KEY, queue_key
from app.redis import OUTAGES, Redis, open_redis
from app.resources import Resources
from tests.chaos.crew import FROZEN_S, Crew
from tests.chaos.servers import Servers, ShiftablePostgres, can_shift_clock
from tests.chaos.timeline import GRACE_S, Timeline
from tests.chaos.work import Sleep
from tests.support.outages import frozen, kill, terminate_backends

WORKER_FAULT_INTERVAL_S = 2.0
"""Average seconds between worker faults. Each is shifted by up to 30%."""
STOP_SHARE = 0.15
"""How many of these are two SIGTERMs. The others are kills."""
SETTLE_S = 6.0
"""Seconds between two server faults."""
STOPPED_S = 11.0
"""How long Postgres is stopped: longer than a lease lasts."""
DOWNTIME_S = 1.0
REDIS_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.1
PAUSE_S = 10.0
FULL_S = 5.0
CLOCK_SHIFT_S = 15
"""Longer than a lease lasts."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    inject: Callable[[], Awaitable[None]]
    needs_s: float = 0
    """About how long it takes."""


@dataclass(slots=True)
class Faults:
    """The faults in one run."""

    servers: Servers
    resources: Resources
    crew: Crew
    timeline: Timeline
    rng: Random
    seconds: float
    redis_downtime_s: float
    only: Sequence[str]
    """Inject only the server faults whose names contain one of these."""
    done: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Inject faults until the run ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._disturb_workers())
            group.create_task(self._disturb_servers())

    async def _disturb_workers(self) -> None:
        began, count, database = monotonic(), 1, self.resources.database
        while WORKER_FAULT_INTERVAL_S * count < self.seconds:
            due = began + WORKER_FAULT_INTERVAL_S * (count + self.rng.uniform(-0.3, 0.3))
            await asyncio.sleep(max(0.0, due - monotonic()))
            count += 1
            if not self.crew.members:  # all are frozen or draining
                continue
            which = self.rng.randrange(len(self.crew.members))
            if self.rng.random() < STOP_SHARE:
                self.crew.stop_one(which)
            else:
                await self.crew.kill_one(database, which)

    async def _disturb_servers(self) -> None:
        """Inject the server faults one after another. Repeat those that may recur."""
        ends_at = monotonic() + self.seconds
        pair = self.servers.standby is not None
        faults = [
            fault
            for fault in (self._failovers() if pair else self._recurring())
            if any(word in fault.name for word in self.only)
        ]
        settle_s = self.seconds / (len(faults) + 1) if pair else SETTLE_S
        self.rng.shuffle(faults)
        for fault in faults if pair else cycle(faults):
            if monotonic() + settle_s + fault.needs_s > ends_at:
                return
            await asyncio.sleep(settle_s)
            await fault.inject()
            self.done[fault.name] += 1

    def _failovers(self) -> list[Fault]:
        return [
            Fault("Postgres primary killed, standby promoted", self._fail_postgres_over),
            Fault("Redis primary killed, replica promoted", self._fail_redis_over),
        ]

    async def _fail_postgres_over(self) -> None:
        assert self.servers.standby is not None
        with self.timeline.outage("Postgres", grace_s=GRACE_S):
            await kill(self.servers.postgres, SIGKILL)
            await asyncio.sleep(DOWNTIME_S)
            await self.servers.standby.promote()

    async def _fail_redis_over(self) -> None:
        """Kill the primary. Sentinel promotes the replica."""
        with self.timeline.outage("Redis"):
            await kill(self.servers.valkey, SIGKILL)
            while not await self._redis_answers():  # noqa: ASYNC110 # no event to wait for
                await asyncio.sleep(POLL_INTERVAL_S)

    async def _redis_answers(self) -> bool:
        with suppress(*OUTAGES):
            async with self._redis() as redis:
                return bool(await redis.incr("chaos:answers"))
        return False

    @asynccontextmanager
    async def _redis(self) -> AsyncIterator[Redis]:
        url = self.servers.environ["REDIS_URL"]
        async with open_redis(url, socket_timeout=REDIS_TIMEOUT_S) as redis:
            yield redis

    def _recurring(self) -> list[Fault]:
        faults = [
            Fault("Postgres stopped and continued", self._stop_postgres, STOPPED_S),
            Fault("Postgres killed and restarted", self._kill_postgres),
            Fault("Postgres connections terminated", self._terminate),
            Fault("Redis flushed", self._flush),
            Fault("Redis killed and restarted empty", self._kill_redis),
            Fault("Redis down, its data kept", self._keep_redis_downtime, self.redis_downtime_s),
            Fault("Redis restored from an old snapshot", self._restore_redis, SETTLE_S),
            Fault("queue deleted from Redis", self._delete_queue),
            Fault("Redis full", self._fill_redis, FULL_S),
            Fault("foreign data in Redis", self._write_foreign_data),
            Fault("kind paused and resumed", self._pause_kind, PAUSE_S),
            Fault("worker frozen and continued", self._freeze_worker, FROZEN_S),
        ]
        if can_shift_clock():
            name = "Postgres's clock put forward and back"
            faults.append(Fault(name, self._shift_clock, 2 * CLOCK_SHIFT_S))
        return faults

    async def _stop_postgres(self) -> None:
        pid = self.servers.postgres.pid
        assert pid is not None
        with self.timeline.outage("Postgres", grace_s=GRACE_S), frozen(pid):
            await asyncio.sleep(STOPPED_S)

    async def _kill_postgres(self) -> None:
        with self.timeline.outage("Postgres", grace_s=GRACE_S):
            await self._restart(self.servers.postgres)

    async def _restart(self, server: Daemon) -> None:
        await kill(server, SIGKILL)
        await asyncio.sleep(DOWNTIME_S)
        await server.start()

    async def _terminate(self) -> None:
        await terminate_backends(self.resources.database)

    async def _shift_clock(self) -> None:
        postgres = self.servers.postgres
        assert isinstance(postgres, ShiftablePostgres)
        for shift in (CLOCK_SHIFT_S, 0):
            postgres.shift_clock(shift)
            self.timeline.clock_jumped(shift)
            await asyncio.sleep(CLOCK_SHIFT_S)

    async def _flush(self) -> None:
        async with self._redis() as redis:
            await redis.flushall()

    async def _kill_redis(self) -> None:
        with self.timeline.outage("Redis"):
            self._snapshot.unlink(missing_ok=True)
            await self._restart(self.servers.valkey)

    async def _keep_redis_downtime(self) -> None:
        await self._save_snapshot()
        with self.timeline.outage("Redis"):
            await kill(self.servers.valkey, SIGKILL)
            await asyncio.sleep(self.redis_downtime_s)
            await self.servers.valkey.start()

    async def _restore_redis(self) -> None:
        await self._save_snapshot()
        await asyncio.sleep(SETTLE_S)
        with self.timeline.outage("Redis"):
            await self._restart(self.servers.valkey)

    async def _save_snapshot(self) -> None:
        async with self._redis() as redis:
            await redis.save()

    @property
    def _snapshot(self) -> Path:
        return self.servers.valkey.workspace.folder("valkey") / "dump.rdb"

    async def _delete_queue(self) -> None:
        async with self._redis() as redis:
            await redis.delete(queue_key("default"))

    async def _fill_redis(self) -> None:
        async with self._redis() as redis:
            with self.timeline.outage("Redis"):
                await redis.config_set("maxmemory", 1)
                await asyncio.sleep(FULL_S)
                await redis.config_set("maxmemory", 0)

    async def _write_foreign_data(self) -> None:
        garbage = {f"garbage {number}": number for number in range(100)}
        async with self._redis() as redis:
            await redis.zadd(queue_key("critical"), garbage)
            for key in (queue_key("default"), WAKEUP_KEY, TAKERS_KEY, MARK_KEY):
                async with redis.pipeline(transaction=True) as pipeline:
                    pipeline.unlink(key)
                    pipeline.xadd(key, {"foreign": "data"})
                    await pipeline.execute()

    async def _pause_kind(self) -> None:
        with self.timeline.outage("kind", kind=Sleep.kind):
            await self._in_transaction(pause_kind)
            await asyncio.sleep(PAUSE_S)
            await self._in_transaction(resume_kind)

    async def _in_transaction(self, change: Callable[..., Awaitable[None]]) -> None:
        async with self.resources.database.transaction() as tx:
            await change(tx, Sleep.kind, by="chaos")

    async def _freeze_worker(self) -> None:
        which = self.rng.randrange(self.crew.size)
        await self.crew.freeze_one(self.resources.database, which)
