"""Dead letters by kind and error: `/ops/dead-letters`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from app.jobs.admin import dead_letters
from app.jobs.admin.jobs import find_job
from app.jobs.admin.rows import RetryResult
from app.pages.formatting import count
from app.pages.forms import Form
from app.pages.ops.listing import listing
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import Me

DEAD_LETTERS = "/ops/dead-letters"
LIMIT = 25


class Query(Struct, frozen=True):
    """Where the page before has ended."""

    before: datetime | None = None
    fingerprint: str | None = None


@get("/dead-letters")
async def list_groups(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    query = Form(dict(request.query_params)).read(Query)
    after = dead_letters.DeadLetterCursor(query.before, query.fingerprint)
    found = await dead_letters.list_groups(database, after, LIMIT + 1)
    groups, following = found[:LIMIT], None
    if len(found) > LIMIT:
        last = groups[-1]
        position = {"before": last.last_seen.isoformat(), "fingerprint": last.fingerprint}
        following = f"{DEAD_LETTERS}?{urlencode(position)}"
    return render_page(
        request,
        "ops/dead_letters",
        groups=groups,
        total=await dead_letters.count_dead_letters(database),
        first=DEAD_LETTERS if query.before else None,
        following=following,
    )


@get("/dead-letters/{fingerprint:str}")
async def show_group(
    request: Request[Any, Any, Any],
    fingerprint: FromPath[str],
    database: NamedDependency[Database],
) -> Response[str]:
    group = await dead_letters.find_group(database, fingerprint)
    sample = await find_job(database, group.sample_job_id)
    path = f"{DEAD_LETTERS}/{fingerprint}"
    form = Form(dict(request.query_params))
    jobs = await listing(database, path, form, fingerprint=fingerprint)
    return render_page(request, "ops/dead_letter", group=group, sample=sample, listing=jobs)


@post("/dead-letters/retry")
async def retry_all(
    request: Request[Any, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Redirect:
    rerun = await dead_letters.retry_all(database, None, by=str(me.id))
    return see_other(request, DEAD_LETTERS, _said(rerun))


@post("/dead-letters/{fingerprint:str}/retry")
async def retry_group(
    request: Request[Any, Any, Any],
    fingerprint: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    rerun = await dead_letters.retry_group(database, fingerprint, by=str(me.id))
    return see_other(request, DEAD_LETTERS, _said(rerun))


@post("/dead-letters/{fingerprint:str}/discard")
async def discard_group(
    request: Request[Any, Any, Any],
    fingerprint: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    done = await dead_letters.discard_group(database, fingerprint, by=str(me.id))
    return see_other(request, DEAD_LETTERS, f"{_jobs(done.discarded)} discarded.")


def _said(done: RetryResult) -> str:
    said = f"{_jobs(done.retried)} queued for retry."
    if done.skipped:
        said += f" {_jobs(done.skipped)} skipped: expired, or replaced by a newer job."
    return said


def _jobs(number: int) -> str:
    return "1 job was" if number == 1 else f"{count(number)} jobs were"


routes = [list_groups, show_group, retry_all, retry_group, discard_group]
