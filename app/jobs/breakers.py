"""Breakers: while a dependency is away, the jobs that need it wait without being tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

SHORTEST = 5.0
LONGEST = 300.0
"""Seconds between two tries at a dependency that stays away; they double from the first outage."""


@dataclass(slots=True)
class _Breaker:
    wait: float = 0.0
    open_until: float = 0.0
    probing: bool = False

    @property
    def is_open(self) -> bool:
        return self.wait > 0


@dataclass(slots=True)
class Breakers:
    """One breaker a dependency, for one worker.

    Which kinds need which dependency is learnt from the outages that they report. After the wait
    one job of such a kind is let through: its success closes the breaker, its failure doubles the
    wait.
    """

    clock: Callable[[], float]
    """Seconds that never go back."""
    draw: Callable[[], float]
    """Gives a random number from [0, 1), which spreads those that wait."""
    _breakers: dict[str, _Breaker] = field(default_factory=lambda: defaultdict(_Breaker))
    _needs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def hold(self, kind: str) -> tuple[str, timedelta] | None:
        """The dependency that a job of this kind has to wait for, and how long; None: try it."""
        now, probed = self.clock(), []
        for dependency in self._needs.get(kind, ()):
            breaker = self._breakers[dependency]
            if not breaker.is_open:
                continue
            if now < breaker.open_until or breaker.probing:
                return dependency, self._spread(max(breaker.open_until - now, SHORTEST))
            probed.append(breaker)
        for breaker in probed:
            breaker.probing = True
        return None

    def outage(self, kind: str, dependency: str) -> timedelta:
        """A job of this kind met an outage: how long it waits."""
        self._needs[kind].add(dependency)
        breaker = self._breakers[dependency]
        now = self.clock()
        if not breaker.is_open or now >= breaker.open_until:
            breaker.wait = min(max(SHORTEST, breaker.wait * 2), LONGEST)
            breaker.open_until = now + breaker.wait
            breaker.probing = False
        return self._spread(breaker.open_until - now)

    def success(self, kind: str) -> list[str]:
        """A job of this kind is done: the dependencies that are thereby known to be back."""
        back = [name for name in self._needs.get(kind, ()) if self._breakers[name].is_open]
        for name in back:
            del self._breakers[name]
        return back

    def undecided(self, kind: str) -> None:
        """A job of this kind ended without telling anything: another may be let through."""
        for dependency in self._needs.get(kind, ()):
            self._breakers[dependency].probing = False

    def _spread(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds + self.draw() * min(seconds, SHORTEST))
