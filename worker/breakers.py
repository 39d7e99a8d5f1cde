"""Breakers: while a dependency is unavailable, jobs that need it are snoozed instead of run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app import metrics

MIN_WAIT_S = 5.0
MAX_WAIT_S = 300.0
"""The first and the longest wait for a probe, in seconds. The wait doubles after a failed probe."""


@dataclass(slots=True)
class _Breaker:
    wait_s: float = 0.0
    next_probe_at: float = 0.0
    last_outage_at: float = 0.0
    probing: bool = False

    @property
    def is_open(self) -> bool:
        return self.wait_s > 0


@dataclass(slots=True)
class Breakers:
    """The breakers of one worker, one for each dependency.

    They learn which kinds need a dependency from the outages that jobs of these kinds run into.
    After the wait, one such job is let through as a probe. If the dependency answers the job, the
    breaker closes; another outage doubles the wait. If the job ends without having called the
    dependency, the next job is let through.
    """

    clock: Callable[[], float]
    """A monotonic clock, in seconds."""
    random: Callable[[], float]
    """A source of random numbers in [0, 1), to spread out the waiting jobs."""
    _breakers: dict[str, _Breaker] = field(default_factory=lambda: defaultdict(_Breaker))
    _needs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def check(self, kind: str) -> tuple[str, timedelta] | None:
        """Return the dependency that blocks a job of this kind, and how long the job must wait.

        None lets the job start. If the breaker of a dependency that it needs is open, the job
        becomes its probe.
        """
        now, to_probe = self.clock(), []
        for dependency in self._needs.get(kind, ()):
            breaker = self._breakers[dependency]
            if not breaker.is_open:
                continue
            if now < breaker.next_probe_at or breaker.probing:
                return dependency, self._spread(max(breaker.next_probe_at - now, MIN_WAIT_S))
            to_probe.append(breaker)
        for breaker in to_probe:
            breaker.probing = True
        return None

    def record_outage(self, kind: str, dependency: str) -> timedelta:
        """Record an outage that a job of this kind ran into; return how long the job must wait."""
        self._needs[kind].add(dependency)
        breaker = self._breakers[dependency]
        breaker.last_outage_at = now = self.clock()
        if not breaker.is_open or now >= breaker.next_probe_at:
            breaker.wait_s = min(max(MIN_WAIT_S, breaker.wait_s * 2), MAX_WAIT_S)
            breaker.next_probe_at = now + breaker.wait_s
            breaker.probing = False
        metrics.breaker_open.labels(dependency).set(1)
        return self._spread(breaker.next_probe_at - now)

    def record_end(self, kind: str, answers: Mapping[str, float]) -> list[str]:
        """Record the end of an attempt at a job of this kind; return the recovered dependencies.

        Args:
            answers: when each dependency last answered the job. An answer does not count if
                any job has run into an outage since.
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
