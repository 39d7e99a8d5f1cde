"""The routes under `/stats`: totals by day and by week."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from app.api.paging import FIRST_DAY, LAST_DAY, Page
from app.postgres.database import Database
from app.stats import daily_totals
from app.stats.totals import DayTotals, total
from app.users.user import Me


class WeekTotals(Struct, frozen=True):
    """The totals for a week and for each of its days, in metres, seconds and kilocalories."""

    week: str
    first_day: date
    last_day: date
    activities: int
    distance_m: float
    duration_s: int
    calories: int
    days: list[DayTotals]


@get("/weekly", operation_id="readWeek")
async def read_week(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    week: Annotated[
        str | None,
        QueryParameter(
            max_length=10,
            description="An ISO 8601 week such as 2026-W47. Default: this week.",
            schema_extra={"pattern": r"^\d{4}-W\d{2}$"},
        ),
    ] = None,
) -> WeekTotals:
    """Get your totals for a week, Monday to Sunday in UTC. Deleted activities do not count."""
    this_week = daily_totals.week_of(now.date())
    monday = daily_totals.monday_of(this_week if week is None else week)
    sunday = daily_totals.sunday_after(monday)
    days = await daily_totals.read(database, me.id, monday, sunday)
    week_total = total(days)
    return WeekTotals(
        week=daily_totals.week_of(monday),
        first_day=monday,
        last_day=sunday,
        activities=week_total.activities,
        distance_m=week_total.distance_m,
        duration_s=week_total.duration_s,
        calories=week_total.calories,
        days=days,
    )


@get("/daily", operation_id="listDays")
async def list_days(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    first_day: Annotated[date, FIRST_DAY],
    last_day: Annotated[date, LAST_DAY],
) -> Page[DayTotals]:
    """Get your daily totals for up to 366 days. Deleted activities do not count."""
    return Page(await daily_totals.read(database, me.id, first_day, last_day), None)


router = Router("/stats", route_handlers=[read_week, list_days], tags=["stats"])
