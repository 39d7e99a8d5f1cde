"""Months to report on."""

from __future__ import annotations

from datetime import date

from app import jobs
from app.reports.jobs import ReportGenerate
from app.transaction import Database
from app.users.user import UserId
from tests.kit.moments import at
from tests.kit.people import Person, person

NOVEMBER = date(2026, 11, 1)


async def reader(database: Database, name: str = "ada") -> Person:
    """Somebody whose address is confirmed."""
    ada = await person(database, name)
    await database.execute("update users set confirmed_at = now() where id = $1", ada.id)
    return ada


async def add(
    database: Database,
    user_id: UserId,
    started_at: str,
    *,
    type: str = "run",
    metres: float | None = 10_000,
    notes: str | None = None,
) -> None:
    await database.execute(
        "insert into activities"
        " (user_id, type, started_at, duration_s, distance_m, calories, notes)"
        " values ($1, $2, $3, 3600, $4, 500, $5)",
        user_id,
        type,
        at(started_at),
        metres,
        notes,
    )


async def order(database: Database, user_id: UserId, month: date = NOVEMBER) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, ReportGenerate(user_id=user_id, month=month))
