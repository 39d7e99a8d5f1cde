"""Jobs: `/ops/jobs`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from app.errors import Invalid
from app.jobs.admin import dead_letters, jobs
from app.jobs.admin.jobs import find_job
from app.jobs.admin.rows import State
from app.jobs.job import KINDS, JobId
from app.jobs.redis_queue import QUEUES
from app.jobs.schedules import history
from app.pages.forms import Form
from app.pages.ops.listing import Listing, find_job_id, read_listing
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import Me

JOBS_PATH = "/ops/jobs"


@get("/jobs")
async def list_jobs(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[Any]:
    """List jobs, or redirect to a job if the search text is its id."""
    form = Form(dict(request.query_params))
    if job_id := await find_job_id(database, form.values.get("search", "")):
        return see_other(request, f"{JOBS_PATH}/{job_id}")
    options: dict[str, Any] = {
        "states": _options(get_args(State)),
        "queues": _options(QUEUES),
        "kinds": KINDS,
    }
    try:
        jobs = await read_listing(database, JOBS_PATH, form)
    except Invalid as error:
        empty = Listing([], JOBS_PATH, None)
        form = form.with_error(error)
        return render_page(request, "ops/jobs", status=400, form=form, listing=empty, **options)
    return render_page(request, "ops/jobs", form=form, listing=jobs, **options)


@get("/jobs/{job_id:uuid}")
async def show_job(
    request: Request[Any, Any, Any], job_id: FromPath[UUID], database: NamedDependency[Database]
) -> Response[str]:
    job = await find_job(database, JobId(job_id))
    return render_page(
        request,
        "ops/job",
        job=job,
        run=await history.run_of_job(database, job.id),
        payload=_pretty_json(job.payload),
    )


@post("/jobs/{job_id:uuid}/retry")
async def retry_job(
    request: Request[Any, Any, Any],
    job_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    await dead_letters.retry_job(database, JobId(job_id), by=str(me.id))
    return see_other(request, f"{JOBS_PATH}/{job_id}", "Job queued for retry.")


@post("/jobs/{job_id:uuid}/cancel")
async def cancel_job(
    request: Request[Any, Any, Any],
    job_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        state = await jobs.cancel_job(tx, JobId(job_id), by=str(me.id))
    message = (
        "Cancellation requested. The worker stops the job within two seconds."
        if state == "running"
        else "Job cancelled."
    )
    return see_other(request, f"{JOBS_PATH}/{job_id}", message)


def _options(values: Iterable[str]) -> list[tuple[str, str]]:
    return [("", "Any"), *((value, value) for value in values)]


def _pretty_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


routes = [list_jobs, show_job, retry_job, cancel_job]
