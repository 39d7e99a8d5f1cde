"""Waiting for transactions that block each other."""

from __future__ import annotations

from app.postgres.database import Database
from tests.support.working import eventually

WAITING = """
select count(*) from pg_locks
where not granted and pid in (select pid from pg_stat_activity where datname = current_database())
"""


async def wait_for_blocked_transaction(database: Database) -> None:
    """Wait until a transaction of this database is blocked by a lock.

    Call it outside of transactions: within one, Postgres keeps showing the first snapshot of the
    activity.
    """
    await eventually(lambda: database.fetchval(WAITING), 1)
