"""The routes under `/admin/jobs`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from app.jobs.admin import dead_letters, jobs
from app.jobs.admin.rows import JobDetail, JobSummary, State
from app.jobs.job import JobId, Queue
from app.postgres.database import Database
from app.users.accounts import find_user
from app.users.user import Me
from app.web.cursors import decode_cursor

UserFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=254, description="Only jobs of the user with this ID or email address."
    ),
]
KindFilter = Annotated[
    str | None, QueryParameter(max_length=100, description="Only jobs of this kind.")
]


@get("/jobs", operation_id="listJobs")
async def list_jobs(
    database: NamedDependency[Database],
    job_state: Annotated[
        State | None, QueryParameter(name="state", description="Only jobs in this state.")
    ] = None,
    kind: KindFilter = None,
    queue: Annotated[Queue | None, QueryParameter(description="Only jobs in this queue.")] = None,
    user: UserFilter = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[JobSummary]:
    """List jobs, newest first."""
    user_id = await find_user(database, user) if user is not None else None
    filters = jobs.JobFilter(job_state, kind, queue, user_id)
    after = decode_cursor(cursor, tuple[JobId])
    rows = await jobs.list_jobs(database, filters, after[0] if after else None, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.id,))


@get("/jobs/{job_id:uuid}", operation_id="readJob")
async def read_job(job_id: FromPath[UUID], database: NamedDependency[Database]) -> JobDetail:
    """Get a job with its attempts, errors, progress and timeline."""
    return await jobs.find_job(database, JobId(job_id))


@post("/jobs/{job_id:uuid}/retry", status_code=200, operation_id="retryJob")
async def retry_job(
    job_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> JobDetail:
    """Retry a dead job, with its failure count reset.

    409 if it is not dead, has expired, or has an unfinished duplicate (same kind and unique key).
    """
    await dead_letters.retry_job(database, JobId(job_id), by=str(me.id))
    return await jobs.find_job(database, JobId(job_id))


@post("/jobs/{job_id:uuid}/cancel", status_code=200, operation_id="cancelJob")
async def cancel_job(
    job_id: FromPath[UUID], me: NamedDependency[Me], database: NamedDependency[Database]
) -> JobDetail:
    """Cancel a job. A waiting job is cancelled at once.

    A running job is returned as running, and stops within two seconds unless it finishes first.
    409 if it has already finished.
    """
    async with database.transaction() as tx:
        await jobs.cancel_job(tx, JobId(job_id), by=str(me.id))
        return await jobs.find_job(tx, JobId(job_id))


routes = [list_jobs, read_job, retry_job, cancel_job]
