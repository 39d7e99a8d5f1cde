"""When the schedules are due, and which period each tick covers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app.jobs.schedules.schedule import SCHEDULES, day_covered
from tests.support.moments import at
from worker.cron import cron_job as cron_job_of
from worker.cron import cron_jobs

DAILY, WEEKLY = SCHEDULES["stats:daily"], SCHEDULES["emails:weekly"]


@pytest.mark.parametrize(
    ("name", "after", "tick", "covered"),
    [
        ("stats:daily", "2026-12-31 00:00", "2027-01-01 00:00", "2026-12-31"),
        ("stats:daily", "2028-02-28 12:00", "2028-02-29 00:00", "2028-02-28"),
        ("stats:daily", "2028-02-29 00:00", "2028-03-01 00:00", "2028-02-29"),
        ("stats:daily", "2027-02-28 00:00", "2027-03-01 00:00", "2027-02-28"),
        ("stats:recount", "2026-12-31 23:30", "2027-01-01 00:30", "2026-12-31"),
        ("emails:weekly", "2026-11-22 08:59", "2026-11-22 09:00", "2026-11-21"),
        ("emails:weekly", "2026-12-27 09:00", "2027-01-03 09:00", "2027-01-02"),
        ("reports:monthly", "2026-12-01 00:00", "2027-01-01 00:00", "2026-12-31"),
        ("reports:monthly", "2028-02-02 00:00", "2028-03-01 00:00", "2028-02-29"),
        ("cleanup:daily", "2026-11-24 02:00", "2026-11-25 02:00", "2026-11-24"),
    ],
)
def test_tick_follows_the_day_it_covers(name: str, after: str, tick: str, covered: str) -> None:
    found = SCHEDULES[name].next_tick(at(after))
    assert (at(tick), date.fromisoformat(covered)) == (found, day_covered(found))


def test_month_with_five_sundays_has_five_weekly_ticks() -> None:
    ticks = WEEKLY.ticks(at("2026-11-01 00:00"), at("2026-11-30 23:59"))
    assert [1, 8, 15, 22, 29] == [tick.day for tick in ticks]


def test_ticks_between_two_times_exclude_the_start_and_include_the_end() -> None:
    midnight = at("2026-11-24 00:00")
    assert [] == DAILY.ticks(midnight, midnight)
    assert [midnight] == DAILY.ticks(midnight - timedelta.resolution, midnight)


@pytest.mark.parametrize(
    ("name", "day", "covered"),
    [
        ("stats:daily", "2028-02-29", "2028-02-29"),
        ("emails:weekly", "2026-11-15", "2026-11-21"),  # the Sunday on which the week starts
        ("emails:weekly", "2026-11-21", "2026-11-21"),
        ("emails:weekly", "2026-12-31", "2027-01-02"),
        ("reports:monthly", "2026-12-01", "2026-12-31"),
        ("reports:monthly", "2028-02-29", "2028-02-29"),
    ],
)
def test_day_is_covered_by_the_tick_after_its_period(name: str, day: str, covered: str) -> None:
    tick = SCHEDULES[name].tick_covering(date.fromisoformat(day))
    assert date.fromisoformat(covered) == day_covered(tick)


def test_arq_has_a_cron_job_for_every_schedule() -> None:
    assert {f"cron:{name}" for name in SCHEDULES} == {cron_job.name for cron_job in cron_jobs()}


@pytest.mark.parametrize("name", SCHEDULES)
def test_arq_cron_job_is_due_at_the_ticks_of_its_schedule(name: str) -> None:
    schedule = SCHEDULES[name]
    cron_job = cron_job_of(schedule)
    now = at("2026-12-30 22:15")
    for _ in range(40):
        cron_job.calculate_next(now)
        assert cron_job.next_run is not None
        due = cron_job.next_run.replace(microsecond=0)
        assert schedule.next_tick(now) == due
        now = due + timedelta(seconds=1)
