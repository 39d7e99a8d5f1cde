"""The routes under `/admin/dead-letters`: dead jobs, grouped by kind and error."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from app.jobs.admin import dead_letters
from app.jobs.admin.rows import DeadLetterGroup, DiscardResult, RetryResult
from app.postgres.database import Database
from app.users.user import Me
from app.web.cursors import decode_cursor


@get("/dead-letters", operation_id="listDeadLetters")
async def list_dead_letters(
    database: NamedDependency[Database], cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[DeadLetterGroup]:
    """List the dead jobs, grouped by kind and error, latest first."""
    after = decode_cursor(cursor, tuple[datetime, str])
    position = dead_letters.DeadLetterCursor(*after) if after else dead_letters.DeadLetterCursor()
    rows = await dead_letters.list_groups(database, position, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.last_seen, last.fingerprint))


@post("/dead-letters/retry", status_code=200, operation_id="retryAllDeadLetters")
async def retry_all(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    kind: Annotated[
        str | None, QueryParameter(max_length=100, description="Only dead jobs of this kind.")
    ] = None,
) -> RetryResult:
    """Retry all dead jobs, or those of one kind.

    409 if jobs with the same kinds and unique keys are being enqueued.
    """
    return await dead_letters.retry_all(database, kind, by=str(me.id))


@post("/dead-letters/{fingerprint:str}/retry", status_code=200, operation_id="retryDeadLetters")
async def retry_group(
    fingerprint: FromPath[str], me: NamedDependency[Me], database: NamedDependency[Database]
) -> RetryResult:
    """Retry a group of dead jobs, with their failure counts reset.

    Expired jobs, and jobs that have an unfinished duplicate, are skipped. 409 if jobs with the same
    kinds and unique keys are being enqueued.
    """
    return await dead_letters.retry_group(database, fingerprint, by=str(me.id))


@post("/dead-letters/{fingerprint:str}/discard", status_code=200, operation_id="discardDeadLetters")
async def discard_group(
    fingerprint: FromPath[str], me: NamedDependency[Me], database: NamedDependency[Database]
) -> DiscardResult:
    """Discard a group of dead jobs. They become cancelled and keep their errors."""
    return await dead_letters.discard_group(database, fingerprint, by=str(me.id))


routes = [list_dead_letters, retry_all, retry_group, discard_group]
