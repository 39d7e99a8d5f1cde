"""How figures and times are written on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.pages.formatting import moment, size, span

NOON_IN_OSLO = datetime(2026, 7, 4, 12, 5, 9, tzinfo=timezone(timedelta(hours=2)))


def test_a_moment_is_told_in_utc_and_to_the_second_where_that_counts() -> None:
    assert "4 Jul 2026, 10:05 UTC" == moment(NOON_IN_OSLO)
    assert "4 Jul 2026, 10:05:09 UTC" == moment(NOON_IN_OSLO, seconds=True)
    assert "25 Nov 2026, 00:00 UTC" == moment(datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (66_123_456, "66.1 MB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_a_size_is_told_in_the_unit_that_fits(octets: int, told: str) -> None:
    assert told == size(octets)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (0.85, "850 ms"),
        (4, "4 s"),
        (4.26, "4.3 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (timedelta(hours=3, minutes=20, seconds=50), "3 h 20 min"),
        (timedelta(days=2, hours=1), "2 d 1 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(
    length: float | timedelta, told: str
) -> None:
    assert told == span(length)
