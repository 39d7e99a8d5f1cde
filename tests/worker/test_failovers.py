"""A replica of Postgres or Redis takes over: nothing is lost, and nobody restarts a process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import cast

import pytest

from app.errors import Unavailable
from app.postgres.database import Database
from app.postgres.migrations import migrate
from app.redis import OUTAGES, Redis, open_redis
from app.resources import open_resources
from app.settings import Settings
from tests.support.failover import postgres_pair, redis_pair
from tests.support.ledger import count_effects, create_ledger
from tests.support.outages import kill, own_valkey
from tests.support.owner import application_role
from tests.support.processes import WORKER, program
from tests.support.sample_jobs import Effect, enqueue_job
from tests.support.working import eventually


async def set_key(redis: Redis) -> None:
    await redis.set("key", "value")


async def set_key_in_a_script(redis: Redis) -> None:
    await redis.register_script("return redis.call('set', KEYS[1], 'value')")(["key"])


async def set_keys_in_a_transaction(redis: Redis) -> None:
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.set("key", "value")
        pipeline.set("other", "value")
        await pipeline.execute()


@pytest.mark.parametrize("write", [set_key, set_key_in_a_script, set_keys_in_a_transaction])
async def test_connection_to_a_redis_that_became_a_replica_is_closed(
    write: Callable[[Redis], Awaitable[None]],
) -> None:
    async with own_valkey() as valkey:
        await valkey.start()
        async with open_redis(valkey.settings()["REDIS_URL"]) as redis:
            before = await redis.client_id()
            await redis.replicaof("127.0.0.1", "1")
            with pytest.raises(OUTAGES, match="read only"):
                await write(redis)
            await redis.replicaof("no", "one")
            await write(redis)
            assert before != await redis.client_id()


async def test_wait_for_ids_ends_when_redis_becomes_a_replica() -> None:
    async with own_valkey() as valkey:
        await valkey.start()
        async with open_redis(valkey.settings()["REDIS_URL"], socket_timeout=30) as redis:
            popping = asyncio.ensure_future(cast("Awaitable[object]", redis.bzpopmin("key", 20)))
            await eventually(lambda: blocked_clients(valkey.settings()["REDIS_URL"]), 1)
            async with open_redis(valkey.settings()["REDIS_URL"]) as other:
                await other.replicaof("127.0.0.1", "1")
            with pytest.raises(OUTAGES, match="UNBLOCKED"):
                await popping


async def blocked_clients(url: str) -> object:
    async with open_redis(url) as redis:
        return (await redis.info("clients"))["blocked_clients"]


async def test_jobs_go_on_after_sentinel_has_promoted_the_replica(
    effects: Database, environ: Mapping[str, str]
) -> None:
    async with redis_pair() as redis, AsyncExitStack() as stack:
        own = {**environ, **redis.settings}
        opened = open_resources(Settings.from_env(own), process="activelog-tests")
        database = (await stack.enter_async_context(opened)).database
        worker = await stack.enter_async_context(program(*WORKER, environ=own))
        await worker.wait_for_output("worker.started")
        for number in range(100):
            await enqueue_job(database, Effect(seconds=0.5))
            if number == 30:
                await kill(redis.primary)
            await asyncio.sleep(0.05)
        await eventually(lambda: count_effects(effects), (100, 0))
        await eventually(lambda: role_of(redis.replica.settings()["REDIS_URL"]), "master")
        assert worker.is_running


async def role_of(url: str) -> object:
    async with open_redis(url) as redis:
        return (await redis.info("replication"))["role"]


async def test_nothing_that_postgres_accepted_is_lost_when_its_standby_is_promoted(
    environ: Mapping[str, str],
) -> None:
    async with postgres_pair() as postgres, AsyncExitStack() as stack:
        own = {**environ, **postgres.settings}
        role = application_role(own["DATABASE_URL"])
        await migrate(own["MIGRATIONS_DATABASE_URL"], role=role)
        opened = open_resources(Settings.from_env(own), process="activelog-tests")
        database = (await stack.enter_async_context(opened)).database
        await create_ledger(database, own["MIGRATIONS_DATABASE_URL"])
        worker = await stack.enter_async_context(program(*WORKER, environ=own))
        await worker.wait_for_output("worker.started")
        accepted = set()
        for number in range(100):
            try:
                accepted.add(await enqueue_job(database, Effect(seconds=0.5)))
            except Unavailable:
                await asyncio.sleep(0.05)
            if number == 30:
                await kill(postgres.primary)
                await postgres.standby.promote()
        assert len(accepted) > 90

        async def without_effect() -> int:
            rows = await database.fetch("select job_id from effects")
            return len(accepted - {row["job_id"] for row in rows})

        await eventually(without_effect, 0)
        assert 0 == (await count_effects(database))[1]
        assert worker.is_running
        # `migrate` follows the primary, too.
        assert "" == await migrate(own["MIGRATIONS_DATABASE_URL"], role=role)
