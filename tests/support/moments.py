"""Points in time for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def at(text: str) -> datetime:
    """Parse a UTC time such as `2026-11-24 12:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def recently() -> str:
    """Return the time two hours ago in ISO 8601: recent enough for the friends' activity email."""
    return (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds")
