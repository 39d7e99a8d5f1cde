"""Listing, recording and deleting activities."""

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
from app.pages.forms import FORM_FAILURES, submitted_form
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.stats import daily_totals
from app.stats.totals import total
from app.users.accounts import profile_of
from app.users.user import Me
from app.web.cursors import decode_cursor, encode_cursor

PAGE_SIZE = 30

Minutes = Annotated[
    int, Meta(ge=1, le=7 * 24 * 60, description="Enter whole minutes, from 1 to 10,080.")
]
WallClock = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$", description="Enter a date and a time."),
]
"""The value of a datetime-local field: a time without a time zone."""
Kilometres = Annotated[float, Meta(ge=0, le=100_000, description="Enter kilometres, such as 8.4.")]


class ActivityForm(Struct, frozen=True):
    """The submitted form. A script adds `instant`, since only the browser knows the time zone."""

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
        """Convert the form to the activity that it describes.

        Raises:
            Invalid: there is no `instant`, and the date or time does not exist.
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
        """Return the browser's UTC offset; None if it is impossible or the script did not run.

        Raises:
            Invalid: the date or time does not exist.
        """
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
async def list_activities(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    after: Annotated[str | None, QueryParameter(max_length=500)] = None,
) -> Response[str]:
    return await _render_list(request, me, database, now, after=after)


@post("/activities")
async def record_activity(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
) -> Response[Any]:
    form = await submitted_form(request)
    try:
        submitted = form.read(ActivityForm)
        entry, offset = submitted.entry(), submitted.utc_offset_minutes()
        async with database.transaction() as tx:
            await activities.record(tx, me.id, entry, utc_offset_minutes=offset, now=now)
    except FORM_FAILURES as error:
        return await _render_list(
            request, me, database, now, form=form.with_error(error), error=error
        )
    return see_other(request, "/activities", "Activity saved.")


@post("/activities/{activity_id:uuid}/delete")
async def delete_activity(
    activity_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await activities.delete(tx, me.id, ActivityId(activity_id))
    return see_other(request, "/activities", "Activity deleted.")


async def _render_list(
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
    rows = await activities.list_activities(
        database, me.id, activities.Filters(), position, PAGE_SIZE + 1
    )
    items = rows[:PAGE_SIZE]
    next_url = None
    if len(rows) > PAGE_SIZE:
        next_url = f"/activities?after={encode_cursor((items[-1].started_at, items[-1].id))}"
    monday = daily_totals.monday_of(daily_totals.week_of(now.date()))
    return render_page(
        request,
        "activities",
        profile=await profile_of(database, me.id),
        week=total(await daily_totals.read(database, me.id, monday, monday + timedelta(days=6))),
        activities=items,
        type_choices=[(type, words.label) for type, words in ACTIVITY_TYPES.items()],
        first_url="/activities" if after else None,
        next_url=next_url,
        **context,
    )


routes = [list_activities, record_activity, delete_activity]
