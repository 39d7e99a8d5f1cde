"""The list of jobs that a query asks for, and the address of what follows it."""

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

LIMIT = 50


class Query(Struct, frozen=True):
    """The filters of a list of jobs, and where the page before has ended."""

    state: State | None = None
    kind: Annotated[str, Meta(max_length=100)] | None = None
    queue: Queue | None = None
    user: Annotated[str, Meta(max_length=254)] | None = None
    search: Annotated[str, Meta(max_length=200)] | None = None
    before: UUID | None = None


class Listing(Struct, frozen=True):
    jobs: list[JobSummary]
    first: str | None
    """The address of the first page, unless this is it."""
    following: str | None
    """The address of the next page, if there is one."""


async def listing(
    db: Queryable, path: str, form: Form, *, fingerprint: str | None = None
) -> Listing:
    """The jobs of a path and the query that a form holds, or the dead ones of a fingerprint.

    Raises:
        WrongForm: it is no query.
        Invalid: no account has the address of its user.
    """
    query = form.read(Query)
    state: State | None = "dead" if fingerprint else query.state
    user_id = await find_user(db, query.user) if query.user else None
    wanted = JobFilter(state, query.kind, query.queue, user_id, fingerprint, query.search)
    before = None if query.before is None else JobId(query.before)
    found = await list_jobs(db, wanted, before, LIMIT + 1)
    jobs, filters = found[:LIMIT], {k: v for k, v in form.values.items() if v and k != "before"}
    return Listing(
        jobs,
        first=_address(path, filters) if query.before else None,
        following=_address(path, {**filters, "before": str(jobs[-1].id)})
        if len(found) > LIMIT
        else None,
    )


async def job_named(db: Queryable, search: str) -> JobId | None:
    """The job whose id this is."""
    try:
        return (await find_row(db, JobId(UUID(search.strip())))).id
    except (ValueError, NotFound):
        return None


def _address(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
