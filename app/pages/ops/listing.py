"""Lists of jobs, filtered and paged by the URL's query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from msgspec import Meta, Struct

from app.errors import NotFound
from app.jobs.admin.jobs import JobFilter, find_row, list_jobs
from app.jobs.admin.rows import JobSummary, State
from app.jobs.job import JobId, Queue
from app.pages.forms import Form
from app.postgres.statements import Queryable
from app.users.accounts import find_user

PAGE_SIZE = 50


class JobQuery(Struct, frozen=True):
    """The filters for a list of jobs, and the last job on the previous page."""

    state: State | None = None
    kind: Annotated[str, Meta(max_length=100)] | None = None
    queue: Queue | None = None
    user: Annotated[str, Meta(max_length=254)] | None = None
    search: Annotated[str, Meta(max_length=200)] | None = None
    before: UUID | None = None


class Listing(Struct, frozen=True):
    jobs: list[JobSummary]
    first_url: str | None
    """None on the first page."""
    next_url: str | None
    """None on the last page."""


async def read_listing(
    db: Queryable, path: str, form: Form, *, fingerprint: str | None = None
) -> Listing:
    """Return a page of the jobs that match the query in `form`.

    Args:
        path: the path of the list, for the URLs of other pages.
        fingerprint: limits the list to the dead letters in this group.

    Raises:
        InvalidForm: the query is invalid.
        Invalid: the `user` filter is neither an id nor the address of an account.
    """
    query = form.read(JobQuery)
    state: State | None = "dead" if fingerprint else query.state
    user_id = await find_user(db, query.user) if query.user else None
    job_filter = JobFilter(state, query.kind, query.queue, user_id, fingerprint, query.search)
    before = None if query.before is None else JobId(query.before)
    rows = await list_jobs(db, job_filter, before, PAGE_SIZE + 1)
    jobs, filters = rows[:PAGE_SIZE], {k: v for k, v in form.values.items() if v and k != "before"}
    return Listing(
        jobs,
        first_url=_url(path, filters) if query.before else None,
        next_url=_url(path, {**filters, "before": str(jobs[-1].id)})
        if len(rows) > PAGE_SIZE
        else None,
    )


async def find_job_id(db: Queryable, search: str) -> JobId | None:
    """Return the job id in the search text, or None if the text is not the id of a job."""
    try:
        return (await find_row(db, JobId(UUID(search.strip())))).id
    except (ValueError, NotFound):
        return None


def _url(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
