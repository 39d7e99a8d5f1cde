"""A helper that waits for one transaction to block another."""

from __future__ import annotations

from app.postgres.database import Database
from tests.support.working import eventually

WAITING = """
select count(*) from pg_locks
where not granted and pid in (select pid from pg_stat_activity where datname = current_database())
"""


async def wait_for_blocked_transaction(database: Database) -> None:
    """Wait until a lock blocks a transaction in this database.

    Do not call this in a transaction: Postgres would keep showing it the same snapshot of the
    activity.
    """
    await eventually(lambda: database.fetchval(WAITING), 1)
