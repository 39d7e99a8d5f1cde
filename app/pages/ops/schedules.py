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
from app.pages.forms import Form, sent_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import Me

PATH = "/ops/schedules"
LIMIT = 25


class Query(Struct, frozen=True):
    """Where the page before has ended."""

    before: UUID | None = None


class Trigger(Struct, frozen=True):
    """Which run is wanted. `date` is any day of its period, absent: the last that is over."""

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
    query = Form(dict(request.query_params)).read(Query)
    return await _shown(request, database, name, query.before)


@post("/schedules/{name:str}/trigger")
async def trigger_schedule(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Response[Any]:
    """On to the job that begins, or back with what is wrong with the wish."""
    form = await sent_form(request)
    try:
        wanted = form.read(Trigger)
        async with database.transaction() as tx:
            begun = await schedules.trigger(
                tx, name, by=str(me.id), day=wanted.date, dry_run=wanted.dry_run
            )
    except Invalid as error:
        return await _shown(request, database, name, None, form.refused(error))
    said = f"{name} started for {begun.day}."
    return see_other(request, f"/ops/jobs/{begun.job_id}", said)


@post("/schedules/{name:str}/pause")
async def pause_schedule(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await history.pause_schedule(tx, name, by=str(me.id))
    return see_other(request, PATH, f"{name} paused. It will not run until it is resumed.")


@post("/schedules/{name:str}/resume")
async def resume_schedule(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await history.resume_schedule(tx, name, by=str(me.id))
    said = f"{name} resumed. Runs missed while it was paused are skipped."
    return see_other(request, PATH, said)


async def _shown(
    request: Request[Any, Any, Any],
    database: Database,
    name: str,
    before: UUID | None,
    form: Form | None = None,
) -> Response[str]:
    """A schedule and its runs; 400 when a form of it was refused.

    Raises:
        NotFound: there is no such schedule.
    """
    schedule = await history.find_schedule(database, name)
    found = await history.list_runs(database, name, before, LIMIT + 1)
    runs, path = found[:LIMIT], f"{PATH}/{name}"
    return render_page(
        request,
        "ops/schedule",
        status=400 if form else 200,
        schedule=schedule,
        runs=runs,
        dry_run=SCHEDULES[name].dry_run,
        form=form or Form(),
        first=path if before else None,
        following=f"{path}?before={runs[-1].id}" if len(found) > LIMIT else None,
    )


routes = [list_schedules, show_schedule, trigger_schedule, pause_schedule, resume_schedule]
