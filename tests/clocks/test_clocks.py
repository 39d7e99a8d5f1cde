"""The clocks, and a check that Python, Postgres and Valkey follow them."""

from __future__ import annotations

import os
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.resources import Resources
from tests.clocks.clock import SHIFT, ZONE, clocks
from tests.support.moments import at


@pytest.mark.parametrize(
    ("now", "sunday", "leap_day", "ahead"),
    [
        ("2026-11-26 19:00", "2026-11-29 08:59:30", "2028-02-29 12:00", "2027-01-05 19:00"),
        ("2026-11-29 08:00", "2026-12-06 08:59:30", "2028-02-29 12:00", "2027-01-08 08:00"),
        ("2028-02-28 23:59", "2028-03-05 08:59:30", "2028-02-29 12:00", "2028-04-08 23:59"),
        ("2096-03-01 00:00", "2096-03-04 08:59:30", "2104-02-29 12:00", "2096-04-10 00:00"),
        ("2026-12-31 23:59", "2027-01-03 08:59:30", "2028-02-29 12:00", "2027-02-09 23:59"),
    ],
)
def test_clocks_start_at_the_expected_times_in_the_future(
    now: str, sunday: str, leap_day: str, ahead: str
) -> None:
    found = {clock.name: clock.starts_at for clock in clocks(at(now))}
    assert (at(sunday), at(leap_day), at(ahead)) == (
        found["sunday"],
        found["leap-day"],
        found["ahead"],
    )
    assert found["sunday"].isoweekday() == 7
    assert (12, 31, 23, 59) == tuple(getattr(found["year-end"], part) for part in PARTS)
    assert min(found.values()) > at(now)


PARTS = ("month", "day", "hour", "minute")


TRUE_CLOCK = getattr(time, "CLOCK_TAI", time.CLOCK_REALTIME)
"""A clock that is never shifted. macOS has no CLOCK_TAI, but its wall clock is never shifted."""


async def test_python_postgres_and_valkey_see_the_shifted_time_and_python_the_time_zone(
    resources: Resources,
) -> None:
    expected = time.clock_gettime(TRUE_CLOCK) + float(os.environ.get(SHIFT, "0"))
    database, redis = resources.database, resources.redis
    seen = {
        "Python": time.time(),
        "Postgres": float(await database.fetchval("select extract(epoch from clock_timestamp())")),
        "Valkey": float((await redis.time())[0]),
    }
    deviations = {name: seconds - expected for name, seconds in seen.items()}
    assert [] == [name for name, seconds in deviations.items() if abs(seconds) > 300]
    here = datetime.now().astimezone()
    zone = ZoneInfo(os.environ[ZONE]) if ZONE in os.environ else None
    assert here.utcoffset() == here.astimezone(zone).utcoffset()
