"""The paused queues and the blocked kinds, as this process last read them."""

from __future__ import annotations

from collections.abc import Iterable

from app.jobs.rows import Block, PauseRow


class Pauses:
    """What operators have paused, and what blocks which kinds."""

    def __init__(self) -> None:
        self.queues: frozenset[str] = frozenset()
        self.kinds: frozenset[str] = frozenset()
        self.blocked_kinds: frozenset[str] = frozenset()
        """The kinds that are paused or need a dependency that is unavailable."""
        self.dependencies: frozenset[str] = frozenset()
        """The dependencies whose breakers are open."""

    def update(self, pauses: Iterable[PauseRow], blocks: Iterable[Block]) -> None:
        """Replace the pauses and blocks."""
        paused, blocked = list(pauses), list(blocks)
        self.queues = frozenset(pause.name for pause in paused if pause.what == "queue")
        self.kinds = frozenset(pause.name for pause in paused if pause.what == "kind")
        self.blocked_kinds = frozenset(block.kind for block in blocked)
        self.dependencies = frozenset(block.dependency for block in blocked if block.dependency)


def blocked_on_kind(kind: str) -> str:
    """Return the `blocked_on` for jobs of a paused kind."""
    return f"kind {kind}"
