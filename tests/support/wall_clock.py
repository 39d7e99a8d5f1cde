"""The clock for the API and the pages. A test can fix its time."""

from __future__ import annotations

from datetime import UTC, datetime


class WallClock:
    """Shows the real time until a test sets `fixed_at`."""

    fixed_at: datetime | None = None

    def __call__(self) -> datetime:
        return self.fixed_at or datetime.now(UTC)
