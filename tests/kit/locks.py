"""Transactions that wait for one another."""

from __future__ import annotations

from app.postgres.query import Queryable
from tests.kit.working import eventually

WAITING = """
select count(*) from pg_locks
where not granted and pid in (select pid from pg_stat_activity where datname = current_database())
"""


async def somebody_waits(db: Queryable) -> None:
    """Return once one transaction of this database waits for a lock."""
    await eventually(lambda: db.fetchval(WAITING), 1)
