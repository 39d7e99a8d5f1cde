"""Sample activities for PDFs, with realistic notes, all in the Latin script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from app.activities.totals import Row
from app.exports.export import Header as ExportHeader
from app.reports.report import Header, TypeTotals
from app.stats.totals import DayTotals, PeriodTotals

FIRST = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
NOTES = (
    "Intervals: 6 x 3 min",
    "Easy run with Sam along the river",
    None,
    "Łódź and back, 12 °C",
    None,
)


def activities(count: int) -> Sequence[Row]:
    """Return `count` activities, at most eight hours apart and all within one month."""
    step = min(timedelta(hours=8), timedelta(days=29) / count)
    return [
        (FIRST + number * step, "run", 1800 + number % 900, 5000.0 + number % 999, 300, notes)
        for number in range(count)
        for notes in [NOTES[number % len(NOTES)]]
    ]


def export_header() -> ExportHeader:
    return ExportHeader("Ada Lovelace", None, None, None, FIRST)


def report_header(rows: Sequence[Row]) -> Header:
    sums = PeriodTotals(len(rows), 1e5, 90_000, 12_000)
    days = [DayTotals(date(2026, 11, n), 1, 5000.0 + n, 1800, 300) for n in range(1, 31)]
    types = [TypeTotals(len(rows), 1e5, 90_000, 12_000, "run")]
    return Header("Ada Lovelace", date(2026, 11, 1), sums, days, types, FIRST)
