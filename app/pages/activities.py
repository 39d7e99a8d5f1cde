"""Activities: record one, see them, delete one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.activities import activities
from app.activities.activity import ActivityId, Entry, Kilocalories, Notes
from app.activity_types import ACTIVITY_TYPES, ActivityType
from app.errors import Invalid
from app.pages.forms import REFUSALS, sent_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.stats import daily_totals
from app.stats.totals import total
from app.users.accounts import profile_of
from app.users.user import Me
from app.web.cursors import decode_cursor, encode_cursor

A_PAGE = 30
A_WEEK = timedelta(days=6)
"""From its first day to its last."""

Minutes = Annotated[int, Meta(ge=1, le=7 * 24 * 60, description="Enter whole minutes, at least 1.")]
WallClock = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$", description="Enter a date and a time."),
]
"""What a field of type datetime-local holds: a time that knows no zone."""
Kilometres = Annotated[float, Meta(ge=0, le=100_000, description="Enter kilometres, such as 8.4.")]


class Told(Struct, frozen=True):
    """What the form says. A script adds the instant, which only the reader's zone tells."""

    type: ActivityType
    started: WallClock
    minutes: Minutes
    instant: Annotated[datetime, Meta(tz=True)] | None = None
    kilometres: Kilometres | None = None
    calories: Annotated[Kilocalories, Meta(description="Enter kcal as a whole number.")] | None = (
        None
    )
    notes: Annotated[Notes, Meta(description="Use at most 5,000 characters.")] | None = None

    def entry(self) -> Entry:
        """
        Raises:
            Invalid: there is no such day or time.
        """
        return Entry(
            type=self.type,
            started_at=self.instant or self._in_utc(),
            duration_s=self.minutes * 60,
            distance_m=None if self.kilometres is None else self.kilometres * 1000,
            calories=self.calories,
            notes=self.notes,
        )

    def utc_offset_minutes(self) -> int | None:
        """Of the reader's clock, which the script lets us know; without it the time is in UTC."""
        offset = self._in_utc() - self.instant if self.instant else None
        if offset is None or not activities.MIN_UTC_OFFSET <= offset <= activities.MAX_UTC_OFFSET:
            return None
        return offset // timedelta(minutes=1)

    def _in_utc(self) -> datetime:
        try:
            return datetime.fromisoformat(self.started).replace(tzinfo=UTC)
        except ValueError:
            raise Invalid("This date or time does not exist.", field="started") from None


@get("/activities")
async def show_activities(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    after: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Response[str]:
    return await _shown(request, me, database, now, after=after)


@post("/activities")
async def record(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
) -> Response[Any]:
    form = await sent_form(request)
    try:
        told = form.read(Told)
        entry, offset = told.entry(), told.utc_offset_minutes()
        async with database.transaction() as tx:
            await activities.record(tx, me.id, entry, utc_offset_minutes=offset, now=now)
    except REFUSALS as error:
        return await _shown(request, me, database, now, form=form.refused(error), error=error)
    return see_other(request, "/activities", "Activity saved.")


@post("/activities/{activity_id:uuid}/delete")
async def delete(
    activity_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await activities.delete(tx, me.id, ActivityId(activity_id))
    return see_other(request, "/activities", "Activity deleted.")


async def _shown(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    now: datetime,
    *,
    after: str | None = None,
    **context: Any,
) -> Response[str]:
    key = decode_cursor(after, tuple[datetime, ActivityId])
    position = activities.ActivityKey(*key) if key else activities.ActivityKey()
    found = await activities.list_activities(
        database, me.id, activities.Filter(), position, A_PAGE + 1
    )
    shown = found[:A_PAGE]
    following = None
    if len(found) > A_PAGE:
        following = f"/activities?after={cursor_of((shown[-1].started_at, shown[-1].id))}"
    monday = reading.monday_of(reading.week_of(now.date()))
    return render_page(
        request,
        "activities",
        profile=await profile_of(database, me.id),
        week=total(await daily_totals.read(database, me.id, monday, monday + A_WEEK)),
        activities=shown,
        first="/activities" if after else None,
        following=following,
        type_choices=[(type, words.label) for type, words in ACTIVITY_TYPES.items()],
        **context,
    )


routes = [show_activities, record, delete]
