"""What operators have stopped, as this process last heard."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from app.jobs.rows import PauseRow

PAUSED_KIND_DELAY = timedelta(minutes=1)
"""How long a job of a paused kind sleeps at a time; resuming the kind wakes it."""


class Pauses:
    def __init__(self) -> None:
        self.queues: frozenset[str] = frozenset()
        self.kinds: frozenset[str] = frozenset()

    def update(self, pauses: Iterable[PauseRow]) -> frozenset[str]:
        """Replace what was known.

        Returns:
            The kinds that are no longer paused. Whoever hears it wakes their jobs once more: some
            may have been put to sleep here since the operator woke them.
        """
        found, before = list(pauses), self.kinds
        self.queues = frozenset(pause.name for pause in found if pause.what == "queue")
        self.kinds = frozenset(pause.name for pause in found if pause.what == "kind")
        return before - self.kinds


def blocked_on_kind(kind: str) -> str:
    """The `blocked_on` of a job whose kind is paused."""
    return f"kind {kind}"
