"""Transactions that wait for one another."""

from __future__ import annotations

from app.postgres.database import Database
from tests.support.working import eventually

WAITING = """
select count(*) from pg_locks
where not granted and pid in (select pid from pg_stat_activity where datname = current_database())
"""


async def wait_for_blocked_transaction(database: Database) -> None:
    """Return once one transaction of this database waits for a lock.

    Ask outside of transactions: within one, the activity is that of its first look.
    """
    await eventually(lambda: database.fetchval(WAITING), 1)
