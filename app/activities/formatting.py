"""Formatting of dates and numbers in PDFs."""

from __future__ import annotations

from datetime import date

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def short_day(day: date) -> str:
    """Format a day as `5 Nov 2026`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def long_day(day: date) -> str:
    """Format a day as `5 November 2026`."""
    return f"{day.day} {day:%B} {day.year}"


def period(first: date | None, last: date | None) -> str:
    """Format a period: `1 to 30 November 2026`, `since 1 January 2026`, `all time`."""
    if first is None and last is None:
        return "all time"
    if first is None or last is None:
        return f"since {long_day(first)}" if first else f"until {long_day(last or date.max)}"
    if first == last:
        return long_day(first)
    start = long_day(first)
    if first.year == last.year:
        start = f"{first.day}" if first.month == last.month else f"{first.day} {first:%B}"
    return f"{start} to {long_day(last)}"


def kilometres(metres: float) -> str:
    """Format a distance as `8.2 km` or `1,204 km`."""
    return f"{metres / 1000:,.1f} km" if metres < 999_950 else f"{metres / 1000:,.0f} km"


def hours_and_minutes(seconds: int) -> str:
    """Format a duration as `45 min` or `31 h 05 min`, with minutes rounded half up."""
    hours, minutes = divmod((seconds + 30) // 60, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min"


def hours_minutes_seconds(seconds: int) -> str:
    """Format a duration as `0:45:12`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def activity_count(activities: int) -> str:
    return "1 activity" if activities == 1 else f"{activities:,} activities"
