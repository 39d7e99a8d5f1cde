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
from app.pages.ops.listing import read_listing
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import Me

DEAD_LETTERS_PATH = "/ops/dead-letters"
PAGE_SIZE = 25


class GroupsQuery(Struct, frozen=True):
    """The position in the list: the last group on the previous page."""

    before: datetime | None = None
    fingerprint: str | None = None


@get("/dead-letters")
async def list_groups(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    query = Form(dict(request.query_params)).read(GroupsQuery)
    position = dead_letters.DeadLetterCursor(query.before, query.fingerprint)
    rows = await dead_letters.list_groups(database, position, PAGE_SIZE + 1)
    groups, next_url = rows[:PAGE_SIZE], None
    if len(rows) > PAGE_SIZE:
        last = groups[-1]
        next_query = {"before": last.last_seen.isoformat(), "fingerprint": last.fingerprint}
        next_url = f"{DEAD_LETTERS_PATH}?{urlencode(next_query)}"
    return render_page(
        request,
        "ops/dead_letters",
        groups=groups,
        total=await dead_letters.count_dead_letters(database),
        first_url=DEAD_LETTERS_PATH if query.before else None,
        next_url=next_url,
    )


@get("/dead-letters/{fingerprint:str}")
async def show_group(
    request: Request[Any, Any, Any],
    fingerprint: FromPath[str],
    database: NamedDependency[Database],
) -> Response[str]:
    group = await dead_letters.find_group(database, fingerprint)
    sample = await find_job(database, group.sample_job_id)
    path = f"{DEAD_LETTERS_PATH}/{fingerprint}"
    form = Form(dict(request.query_params))
    jobs = await read_listing(database, path, form, fingerprint=fingerprint)
    return render_page(request, "ops/dead_letter", group=group, sample=sample, listing=jobs)


@post("/dead-letters/retry")
async def retry_all(
    request: Request[Any, Any, Any], me: NamedDependency[Me], database: NamedDependency[Database]
) -> Redirect:
    result = await dead_letters.retry_all(database, None, by=str(me.id))
    return see_other(request, DEAD_LETTERS_PATH, _retry_message(result))


@post("/dead-letters/{fingerprint:str}/retry")
async def retry_group(
    request: Request[Any, Any, Any],
    fingerprint: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    result = await dead_letters.retry_group(database, fingerprint, by=str(me.id))
    return see_other(request, DEAD_LETTERS_PATH, _retry_message(result))


@post("/dead-letters/{fingerprint:str}/discard")
async def discard_group(
    request: Request[Any, Any, Any],
    fingerprint: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    result = await dead_letters.discard_group(database, fingerprint, by=str(me.id))
    return see_other(request, DEAD_LETTERS_PATH, f"{_jobs_were(result.discarded)} discarded.")


def _retry_message(result: RetryResult) -> str:
    message = f"{_jobs_were(result.retried)} queued for retry."
    if result.skipped:
        message += f" {_jobs_were(result.skipped)} skipped (expired or duplicate)."
    return message


def _jobs_were(number: int) -> str:
    return "1 job was" if number == 1 else f"{count(number)} jobs were"


routes = [list_groups, show_group, retry_all, retry_group, discard_group]
