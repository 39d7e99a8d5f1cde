"""Signatures of `sql/queries/reports.sql`."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from app.jobs import Queue
from app.jobs.scheduling.fanout import Batch
from app.postgres.query import Queryable, statement


@statement("reports")
async def enqueue_reports(
    db: Queryable,
    kind: str,
    queue: Queue,
    useful_for: timedelta | None,
    month: date,
    after: UUID | None,
    most: int,
) -> Batch: ...
