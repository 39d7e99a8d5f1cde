"""Charts: readable scales, and bars for periods of any length."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app.activities.pdf import MAX_BARS, timeline
from app.pdf.chart import percent, scale


@pytest.mark.parametrize(
    ("largest", "top", "step"),
    [
        (0, 1, 1),
        (0.03, 0.03, 0.01),
        (4.2, 5, 1),
        (10, 10, 2),
        (42.2, 50, 10),
        (99_999_999, 100_000_000, 20_000_000),
        (100_000_000_000, 100_000_000_000, 20_000_000_000),
    ],
)
def test_scale_has_round_numbers(largest: float, top: float, step: float) -> None:
    assert (top, step) == pytest.approx(scale(largest))


@pytest.mark.parametrize(
    ("first", "last", "unit", "bars"),
    [
        ("2026-11-01", "2026-11-01", "day", 1),
        ("2026-11-01", "2026-11-30", "day", 30),
        ("2026-01-01", "2026-11-24", "week", 48),
        ("2023-03-05", "2026-09-20", "month", 43),
        ("1990-01-01", "2026-11-24", "year", 37),
        ("1901-01-01", "2024-12-31", "3 years", 42),
        ("1970-01-01", "9998-12-31", "130 years", 62),
    ],
)
def test_longer_periods_have_bars_for_longer_units(
    first: str, last: str, unit: str, bars: int
) -> None:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    values = {start: 1.0, end: 2.0}
    shown = timeline(start, end, values)
    assert (unit, bars) == (shown.unit, len(shown.bars))
    assert len(shown.bars) <= MAX_BARS
    assert sum(values.values()) == sum(bar.value for bar in shown.bars)
    assert 1 <= sum(bool(bar.label) for bar in shown.bars) <= 15


def test_no_period_has_too_many_bars_or_omits_a_day() -> None:
    last = date(2026, 11, 24)
    for length in range(0, 4000, 61):
        first = last - timedelta(days=length)
        values = {first + timedelta(days=n): 1.0 for n in range(length + 1)}
        shown = timeline(first, last, values)
        assert len(shown.bars) <= MAX_BARS
        assert sum(bar.value for bar in shown.bars) == length + 1
        assert any(bar.label for bar in shown.bars)


def test_earliest_and_latest_dates_have_bars() -> None:
    shown = timeline(date(9998, 1, 1), date(9998, 12, 31), {date(9998, 12, 31): 1.0})
    assert shown.bars[-1].value == 1.0
    assert timeline(date.min, date.min, {date.min: 1.0}).bars[0].value == 1.0


def test_tiny_share_is_not_shown_as_zero() -> None:
    assert ["0%", "< 1%", "1%", "100%"] == [percent(share) for share in (0, 0.001, 0.01, 1)]
