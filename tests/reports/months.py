"""Users, activities and reports for the report tests."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from app import jobs
from app.postgres.database import Database
from app.reports import statements
from app.reports.jobs import GenerateReport
from app.reports.report import key
from app.s3 import Bucket
from app.users.user import UserId
from tests.support.http import anonymous_client
from tests.support.moments import at
from tests.support.people import Person, person

NOVEMBER = date(2025, 11, 1)
"""A month that is over, whenever the tests run."""


async def confirmed_user(database: Database, name: str = "ada") -> Person:
    """Create a user with a confirmed address."""
    ada = await person(database, name)
    await database.execute("update users set confirmed_at = now() where id = $1", ada.id)
    return ada


async def add_activity(
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


async def enqueue_report(database: Database, user_id: UserId, month: date = NOVEMBER) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, GenerateReport(user_id=user_id, month=month))


async def stored_report(
    database: Database, bucket: Bucket, user_id: UserId, month: date = NOVEMBER
) -> str:
    """Store a report with an object that contains `%PDF`, and return the object's key."""
    object_id = uuid4()
    object_key = key(user_id, month, object_id)
    etag = await bucket.put(object_key, b"%PDF", "application/pdf")
    assert await statements.record_report(
        database,
        user_id=user_id,
        month=month,
        created_at=at("2026-01-01 00:05"),
        size_bytes=48_211,
        sha256="0" * 64,
        object_id=object_id,
        etag=etag,
    )
    return object_key


async def report_without_etag(database: Database, user_id: UserId, month: date = NOVEMBER) -> str:
    """Insert the row of a report from before migration 0012; return the key for its object."""
    await database.execute(
        "insert into reports (user_id, month, size_bytes, sha256)"
        " values ($1, $2, 48211, repeat('0', 64))",
        user_id,
        month,
    )
    return key(user_id, month, None)


async def current_key(database: Database, user_id: UserId, month: date = NOVEMBER) -> str:
    """Return the key of the report's object."""
    report = await statements.report_object(database, user_id=user_id, month=month)
    assert report is not None
    return key(user_id, month, report.object_id)


async def content(database: Database, bucket: Bucket, user_id: UserId) -> bytes:
    """Return the content of the November report."""
    async with anonymous_client() as client:
        url = await bucket.presigned_url(await current_key(database, user_id), "report.pdf")
        answer = await client.get(url)
    assert answer.status_code == 200
    return answer.content
