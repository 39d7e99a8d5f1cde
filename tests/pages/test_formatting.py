"""The format of times, sizes and durations on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.pages.formatting import days, moment, size, span

NOON_IN_OSLO = datetime(2026, 7, 4, 12, 5, 9, tzinfo=timezone(timedelta(hours=2)))


def test_moment_is_formatted_in_utc() -> None:
    assert "4 Jul 2026, 10:05 UTC" == moment(NOON_IN_OSLO)
    assert "4 Jul 2026, 10:05:09 UTC" == moment(NOON_IN_OSLO, seconds=True)
    assert "25 Nov 2026, 00:00 UTC" == moment(datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    ("byte_count", "expected"),
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
def test_size_is_formatted_in_the_largest_unit_that_fits(byte_count: int, expected: str) -> None:
    assert expected == size(byte_count)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0.85, "850 ms"),
        (0.9996, "1.0 s"),
        (9.97, "10 s"),
        (4, "4 s"),
        (4.26, "4.3 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (timedelta(hours=3, minutes=20, seconds=50), "3 h 20 min"),
        (timedelta(days=2, hours=1), "2 d 1 h"),
    ],
)
def test_span_is_formatted_in_at_most_two_units(length: float | timedelta, expected: str) -> None:
    assert expected == span(length)


def test_number_of_days_is_formatted_in_the_singular_or_plural() -> None:
    assert ["1 day", "90 days"] == [days(timedelta(days=1)), days(timedelta(days=90))]
