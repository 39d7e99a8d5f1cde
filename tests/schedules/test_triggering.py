"""Runs triggered by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.errors import Conflict, Invalid, NotFound
from app.jobs.schedules import fire_due, trigger
from app.postgres.database import Database
from tests.support.moments import at
from tests.support.schedules import list_runs


@pytest.mark.parametrize(
    ("name", "day", "covered"),
    [
        ("stats:daily", None, "2026-11-23"),
        ("stats:daily", "2026-02-03", "2026-02-03"),
        ("emails:weekly", None, "2026-11-21"),
        ("emails:weekly", "2026-11-09", "2026-11-14"),
        ("reports:monthly", None, "2026-10-31"),
        ("reports:monthly", "2026-09-09", "2026-09-30"),
    ],
)
async def test_trigger_covers_the_last_complete_period_or_the_one_containing_the_given_day(
    since_tuesday: Database, name: str, day: str | None, covered: str
) -> None:
    async with since_tuesday.transaction() as tx:
        run = await trigger(
            tx,
            name,
            by="test",
            day=date.fromisoformat(day) if day else None,
            now=at("2026-11-24 12:00"),
        )
    assert [(covered, "running")] == await list_runs(since_tuesday, name)
    assert covered == str(run.day)


async def test_tick_is_fired_despite_an_unfinished_triggered_run(since_tuesday: Database) -> None:
    async with since_tuesday.transaction() as tx:
        await trigger(tx, "stats:recount", by="test", now=at("2026-11-24 12:29"))
    assert 1 == len(await fire_due(since_tuesday, now=at("2026-11-24 12:30")))


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("stats:dayly", {}, NotFound),
        ("stats:daily", {"day": date(2026, 11, 24)}, Invalid),
        ("stats:daily", {"day": date(9999, 12, 31)}, Invalid),
        ("emails:weekly", {"day": date(2026, 11, 23)}, Invalid),
        ("reports:monthly", {"day": date(2026, 11, 23)}, Invalid),
        ("stats:daily", {"dry_run": True}, Invalid),
    ],
)
async def test_invalid_triggers_are_refused(
    since_tuesday: Database, name: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    async with since_tuesday.transaction() as tx:
        with pytest.raises(error):
            await trigger(tx, name, by="test", now=at("2026-11-24 12:00"), **arguments)


async def test_two_triggers_at_the_same_instant_conflict(since_tuesday: Database) -> None:
    async with since_tuesday.transaction() as tx:
        await trigger(tx, "stats:daily", by="test", now=at("2026-11-24 12:00"))
        with pytest.raises(Conflict):
            await trigger(tx, "stats:daily", by="test", now=at("2026-11-24 12:00"))
