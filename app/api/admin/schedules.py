"""The routes under `/admin/schedules`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from app.jobs import schedules
from app.jobs.schedules import history
from app.jobs.schedules.schedule import RunId, ScheduleRun, ScheduleState, TriggeredRun
from app.postgres.database import Database
from app.users.user import Me
from app.web.cursors import decode_cursor


@get("/schedules", operation_id="listSchedules")
async def list_schedules(database: NamedDependency[Database]) -> Page[ScheduleState]:
    """List the schedules with their last and next runs and failures since the last success."""
    return Page(await history.list_schedules(database), None)


@get("/schedules/{name:str}/runs", operation_id="listRuns")
async def list_runs(
    name: FromPath[str],
    database: NamedDependency[Database],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ScheduleRun]:
    """List the runs and the skipped ticks of a schedule, newest first."""
    after = decode_cursor(cursor, tuple[RunId])
    rows = await history.list_runs(database, name, after[0] if after else None, limit + 1)
    return page_of(rows, limit, key=lambda last: (last.id,))


@post("/schedules/{name:str}/trigger", status_code=202, operation_id="triggerSchedule")
async def trigger_schedule(
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    day: Annotated[
        date | None,
        QueryParameter(
            name="date",
            description="Any day in the period, in UTC. Default: the last complete period.",
        ),
    ] = None,
    dry_run: Annotated[bool, QueryParameter(description="Change nothing, only count.")] = False,
) -> Response[TriggeredRun]:
    """Run a schedule now, even if it is paused. Follow its job at `/admin/jobs/{job_id}`.

    With `dry_run`, cleanup:daily counts what it would delete. reports:monthly and emails:weekly
    count the users who would get a report or an email and, by reason, those who would not. 409 if
    the schedule has been triggered at the same moment.
    """
    async with database.transaction() as tx:
        run = await schedules.trigger(tx, name, by=str(me.id), day=day, dry_run=dry_run)
    return Response(run, headers={"Location": f"/api/v1/admin/jobs/{run.job_id}"})


@post("/schedules/{name:str}/pause", status_code=200, operation_id="pauseSchedule")
async def pause_schedule(
    name: FromPath[str], me: NamedDependency[Me], database: NamedDependency[Database]
) -> ScheduleState:
    """Pause a schedule. A run in progress finishes."""
    async with database.transaction() as tx:
        await history.pause_schedule(tx, name, by=str(me.id))
        return await history.find_schedule(tx, name)


@post("/schedules/{name:str}/resume", status_code=200, operation_id="resumeSchedule")
async def resume_schedule(
    name: FromPath[str], me: NamedDependency[Me], database: NamedDependency[Database]
) -> ScheduleState:
    """Resume a schedule. Ticks missed during the pause will not be fired."""
    async with database.transaction() as tx:
        await history.resume_schedule(tx, name, by=str(me.id))
        return await history.find_schedule(tx, name)


routes = [list_schedules, list_runs, trigger_schedule, pause_schedule, resume_schedule]
