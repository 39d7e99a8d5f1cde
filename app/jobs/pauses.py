"""The queues and kinds that operators have paused, as this process last read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from app.jobs.rows import PauseRow

PAUSED_KIND_DELAY = timedelta(minutes=1)
"""How long a job of a paused kind is snoozed at a time. Resuming the kind ends the snooze."""


class Pauses:
    def __init__(self) -> None:
        self.queues: frozenset[str] = frozenset()
        self.kinds: frozenset[str] = frozenset()

    def update(self, pauses: Iterable[PauseRow]) -> frozenset[str]:
        """Replace the pauses.

        Returns:
            The kinds that are no longer paused. The caller must make their snoozed jobs due again,
            because this worker may have snoozed some of them after an operator resumed their kind.
        """
        rows, before = list(pauses), self.kinds
        self.queues = frozenset(pause.name for pause in rows if pause.what == "queue")
        self.kinds = frozenset(pause.name for pause in rows if pause.what == "kind")
        return before - self.kinds


def blocked_on_kind(kind: str) -> str:
    """Return the `blocked_on` for jobs of a paused kind."""
    return f"kind {kind}"
