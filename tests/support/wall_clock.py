"""The clock for the API and the pages, which a test can stop at any time."""

from __future__ import annotations

from datetime import UTC, datetime


class WallClock:
    """Shows the real time until a test sets `stands_at`."""

    stands_at: datetime | None = None

    def __call__(self) -> datetime:
        return self.stands_at or datetime.now(UTC)
