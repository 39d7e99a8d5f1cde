"""Breakers: while a dependency is away, the jobs that need it wait without being tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app import metrics

MIN_WAIT_S = 5.0
MAX_WAIT_S = 300.0
"""Seconds between two tries at a dependency that stays away; they double from the first outage."""


@dataclass(slots=True)
class _Breaker:
    wait_s: float = 0.0
    open_until: float = 0.0
    last_outage_at: float = 0.0
    """When last."""
    probing: bool = False

    @property
    def is_open(self) -> bool:
        return self.wait_s > 0


@dataclass(slots=True)
class Breakers:
    """One breaker a dependency, for one worker.

    Which kinds need which dependency is learnt from the outages that they report. After the wait
    one job of such a kind is let through: an answer that it gets closes the breaker, another outage
    doubles the wait, and if it ends without asking, the next is let through.
    """

    clock: Callable[[], float]
    """Seconds that never go back."""
    random: Callable[[], float]
    """Gives a random number from [0, 1), which spreads those that wait."""
    _breakers: dict[str, _Breaker] = field(default_factory=lambda: defaultdict(_Breaker))
    _needs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def check(self, kind: str) -> tuple[str, timedelta] | None:
        """The dependency that a job of this kind has to wait for, and how long; None: try it."""
        now, to_probe = self.clock(), []
        for dependency in self._needs.get(kind, ()):
            breaker = self._breakers[dependency]
            if not breaker.is_open:
                continue
            if now < breaker.open_until or breaker.probing:
                return dependency, self._spread(max(breaker.open_until - now, MIN_WAIT_S))
            to_probe.append(breaker)
        for breaker in to_probe:
            breaker.probing = True
        return None

    def record_outage(self, kind: str, dependency: str) -> timedelta:
        """A job of this kind met an outage: how long it waits."""
        self._needs[kind].add(dependency)
        breaker = self._breakers[dependency]
        breaker.last_outage_at = now = self.clock()
        if not breaker.is_open or now >= breaker.open_until:
            breaker.wait_s = min(max(MIN_WAIT_S, breaker.wait_s * 2), MAX_WAIT_S)
            breaker.open_until = now + breaker.wait_s
            breaker.probing = False
        metrics.breaker_open.labels(dependency).set(1)
        return self._spread(breaker.open_until - now)

    def record_end(self, kind: str, answers: Mapping[str, float]) -> list[str]:
        """A job of this kind has ended, however it did: the dependencies that are back.

        Args:
            answers: when each dependency answered the job last. An answer from before an outage
                that another job met says nothing.
        """
        for dependency in self._needs.get(kind, ()):
            self._breakers[dependency].probing = False
        recovered = [
            name
            for name, at in answers.items()
            if (breaker := self._breakers.get(name))
            and breaker.is_open
            and at > breaker.last_outage_at
        ]
        for name in recovered:
            del self._breakers[name]
            metrics.breaker_open.labels(name).set(0)
        return recovered

    def _spread(self, seconds: float) -> timedelta:
        return timedelta(seconds=seconds + self.random() * min(seconds, MIN_WAIT_S))
