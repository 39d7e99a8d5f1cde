"""Schedules: `/ops/schedules`."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from app.errors import Invalid
from app.jobs import schedules
from app.jobs.schedules import history
from app.jobs.schedules.schedule import SCHEDULES
from app.pages.formatting import calendar_day
from app.pages.forms import Form, submitted_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import Me

SCHEDULES_PATH = "/ops/schedules"
PAGE_SIZE = 25


class RunsQuery(Struct, frozen=True):
    """The position in the list: the last run on the previous page."""

    before: UUID | None = None


class TriggerForm(Struct, frozen=True):
    """The submitted form. `date` is any day in the period; None means the last complete period."""

    date: date | None = None
    dry_run: bool = False


@get("/schedules")
async def list_schedules(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    return render_page(request, "ops/schedules", schedules=await history.list_schedules(database))


@get("/schedules/{name:str}")
async def show_schedule(
    request: Request[Any, Any, Any], name: FromPath[str], database: NamedDependency[Database]
) -> Response[str]:
    query = Form(dict(request.query_params)).read(RunsQuery)
    return await _render_schedule(request, database, name, query.before)


@post("/schedules/{name:str}/trigger")
async def trigger_schedule(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Response[Any]:
    """Trigger a run and redirect to its job, or show the form again with its error."""
    form = await submitted_form(request)
    try:
        submitted = form.read(TriggerForm)
        async with database.transaction() as tx:
            triggered = await schedules.trigger(
                tx, name, by=str(me.id), day=submitted.date, dry_run=submitted.dry_run
            )
    except Invalid as error:
        return await _render_schedule(request, database, name, None, form.with_error(error))
    message = f"{name} triggered for {calendar_day(triggered.day)}."
    return see_other(request, f"/ops/jobs/{triggered.job_id}", message)


@post("/schedules/{name:str}/pause")
async def pause_schedule(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await history.pause_schedule(tx, name, by=str(me.id))
    return see_other(
        request, SCHEDULES_PATH, f"{name} paused. It will not run on schedule until you resume it."
    )


@post("/schedules/{name:str}/resume")
async def resume_schedule(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await history.resume_schedule(tx, name, by=str(me.id))
    message = f"{name} resumed. Ticks missed during the pause will not be fired."
    return see_other(request, SCHEDULES_PATH, message)


async def _render_schedule(
    request: Request[Any, Any, Any],
    database: Database,
    name: str,
    before: UUID | None,
    form: Form | None = None,
) -> Response[str]:
    """Render a schedule and its runs, with status 400 if `form` was rejected.

    Raises:
        NotFound: no schedule has this name.
    """
    schedule = await history.find_schedule(database, name)
    rows = await history.list_runs(database, name, before, PAGE_SIZE + 1)
    runs, path = rows[:PAGE_SIZE], f"{SCHEDULES_PATH}/{name}"
    return render_page(
        request,
        "ops/schedule",
        status=400 if form else 200,
        schedule=schedule,
        runs=runs,
        supports_dry_run=SCHEDULES[name].supports_dry_run,
        form=form or Form(),
        first_url=path if before else None,
        next_url=f"{path}?before={runs[-1].id}" if len(rows) > PAGE_SIZE else None,
    )


routes = [list_schedules, show_schedule, trigger_schedule, pause_schedule, resume_schedule]
