"""Statements that run often read few blocks, however many jobs have finished."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.cleanup.jobs import BATCH_ROWS
from app.jobs.schedules.statements import waiting_in_queue
from app.postgres.database import Database
from app.postgres.statements import STATEMENTS

FEW_BLOCKS = 50
"""A statement may read this many. 30,000 finished jobs have more than a thousand."""

NO_ID = UUID(int=0)


async def executed_plan(connection: Any, name: str, **arguments: object) -> dict[str, Any]:
    """Execute a statement, and return the top node of its plan."""
    statement = STATEMENTS[name]
    plan = await connection.fetchval(
        f"explain (analyze, buffers, format json) {statement.sql}",
        *(arguments[parameter] for parameter in statement.parameters),
    )
    top: dict[str, Any] = json.loads(plan)[0]["Plan"]
    return top


async def blocks_read(connection: Any, name: str, **arguments: object) -> int:
    """Execute a statement, and return how many blocks of tables and indexes it read."""
    top = await executed_plan(connection, name, **arguments)
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


async def insert_finished(database: Database, count: int, *, days: int = 0) -> None:
    await database.execute(
        "insert into jobs (id, kind, queue, payload, state, finished_at)"
        " select uuidv7(make_interval(days => -$2::int)), 'test', 'default', '{}', 'done',"
        " now() - make_interval(days => $2::int) from generate_series(1, $1::int)",
        count,
        days,
    )


async def insert_waiting(database: Database, blocked_on: str | None = None) -> None:
    await database.execute(
        "insert into jobs (kind, queue, payload, state, blocked_on, run_at)"
        " select 'test', 'default', '{}', 'snoozed', $1::text, now() + make_interval(hours => $2)",
        blocked_on,
        0 if blocked_on is None else 1,
    )


async def test_throttle_and_counts_do_not_read_finished_jobs(
    database: Database, owner: Database
) -> None:
    await insert_finished(database, 30_000)
    await owner.execute("vacuum analyze jobs")
    await insert_waiting(database)
    await insert_waiting(database, "kind:test")
    statements: dict[str, dict[str, object]] = {
        "schedules.waiting_in_queue": {"queue": "default", "limit": 10_001},
        "jobs.count_due_jobs": {"queue": "default", "limit": 10_001},
        "jobs.queue_stats": {},
        "jobs.has_work": {"worker_id": NO_ID},
        "jobs.add_missing_workers": {},
        "operating.running_jobs": {},
        "queues.kinds": {"names": ["test"]},
    }
    read = {
        name: await blocks_read(database, name, **arguments)
        for name, arguments in statements.items()
    }
    assert {} == {name: blocks for name, blocks in read.items() if blocks > FEW_BLOCKS}


async def test_throttle_counts_due_and_blocked_jobs_up_to_its_limit(database: Database) -> None:
    await insert_waiting(database)
    await insert_waiting(database, "kind:test")
    await insert_waiting(database, "smtp")
    await database.execute(
        "insert into jobs (kind, queue, payload, run_at)"
        " values ('later', 'default', '{}', now() + interval '1 hour'),"
        " ('test', 'low', '{}', now())"
    )
    assert 3 == await waiting_in_queue(database, queue="default", limit=10)
    assert 2 == await waiting_in_queue(database, queue="default", limit=2)


async def test_each_batch_of_removed_jobs_reads_as_few_blocks_as_the_first(
    database: Database, owner: Database
) -> None:
    batches, before = 30, datetime.now(UTC) - timedelta(days=7)
    await insert_finished(database, (batches + 1) * BATCH_ROWS, days=8)
    await owner.execute("vacuum analyze jobs")
    blocks, after = [], None
    for _ in range(batches):
        async with database.transaction() as tx:
            blocks.append(
                await blocks_read(
                    tx,
                    "housekeeping.remove_jobs",
                    before=before,
                    after=after,
                    limit=BATCH_ROWS,
                    dry_run=True,
                )
            )
            removed = await tx.fetchrow(
                STATEMENTS["housekeeping.remove_jobs"].sql, before, after, BATCH_ROWS, False
            )
        assert removed is not None
        assert removed["removed"] == BATCH_ROWS
        after = removed["last"]
    assert max(blocks) < 2 * blocks[0]


@pytest.fixture
async def old_snapshot(database_url: str, database: Database) -> AsyncIterator[None]:
    """Hold a snapshot open, which keeps the index entries of changed jobs from being removed."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    await connection.fetchval("select count(*) from jobs")
    yield
    await transaction.rollback()
    await connection.close()


async def run_jobs_of_worker(database: Database, worker_id: UUID, count: int) -> None:
    """Insert jobs, and claim and finish them under this worker's id."""
    await database.execute(
        "insert into jobs (kind, queue, payload) select 'test', 'default', '{}'"
        " from generate_series(1, $1::int)",
        count,
    )
    await database.execute(
        "update jobs set state = 'running', worker_id = $1, token = $1, started_at = now()",
        worker_id,
    )
    await database.execute("update jobs set state = 'done', finished_at = now()")


@pytest.mark.usefixtures("old_snapshot")
async def test_heartbeat_and_reclaim_read_few_blocks_beside_an_old_snapshot(
    database: Database, owner: Database
) -> None:
    worker_id = uuid4()
    await database.execute(
        "insert into workers (id, host, pid, slots) values ($1, 'here', 1, 10)", worker_id
    )
    await run_jobs_of_worker(database, worker_id, 20_000)
    await owner.execute("vacuum analyze jobs")
    now = datetime.now(UTC)
    ids = [row["id"] for row in await database.fetch("select id from jobs limit 10")]
    statements: dict[str, dict[str, object]] = {
        "jobs.running_by_id": {"ids": ids, "worker_id": worker_id},
        "jobs.reclaim": {},
        "jobs.dead_workers": {},
        "jobs.relay_state": {"worker_id": worker_id},
        "jobs.due_jobs": {
            "queue": "default",
            "after": now,
            "after_id": NO_ID,
            "until": now + timedelta(minutes=1),
            "limit": 1000,
        },
        "jobs.claim": {"ids": ids, "worker_id": worker_id, "token": NO_ID},
        "jobs.still_waiting": {"ids": ids},
        "jobs.lock_job": {"id": ids[0], "token": NO_ID},
        "jobs.finish": {"id": ids[0], "token": NO_ID, "note": None},
        "jobs.finish_many": {"ids": ids, "tokens": [NO_ID] * len(ids)},
        "jobs.release": {"ids": ids, "token": NO_ID},
    }
    read = {
        name: await blocks_read(database, name, **arguments)
        for name, arguments in statements.items()
    }
    assert {} == {name: blocks for name, blocks in read.items() if blocks > 5 * len(ids)}


async def test_reclaim_does_not_scan_jobs_when_the_planner_expects_many_dead_workers(
    database: Database, owner: Database
) -> None:
    """It also expects many of a table that was never analyzed."""
    await insert_finished(database, 5_000)
    await database.execute(
        "insert into workers (id, host, pid, slots, seen_at) "
        "select gen_random_uuid(), 'here', n, 10, now() - interval '1 hour' "
        "from generate_series(1, 1000) as n"
    )
    await owner.execute("vacuum analyze jobs, workers")
    plan = await executed_plan(database, "jobs.reclaim")
    (workers,) = (node for node in nodes(plan) if node.get("Relation Name") == "workers")
    assert workers["Plan Rows"] > 100
    assert "Seq Scan" not in {
        node["Node Type"] for node in nodes(plan) if node.get("Relation Name") == "jobs"
    }
