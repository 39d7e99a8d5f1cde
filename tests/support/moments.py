"""Moments that tests write about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def at(text: str) -> datetime:
    """A moment of UTC, such as `2026-11-24 12:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def recently() -> str:
    """Two hours ago, in ISO 8601: recent enough for friends' news."""
    return (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds")
