"""When each dependency last responded: its clients record the time, and the worker reads it.

The times are in a context variable, so that the use cases in between need not pass them on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from time import monotonic

_LAST_SUCCESSES: ContextVar[tuple[float, dict[str, float]]] = ContextVar("last_successes")


def record_success(dependency: str) -> None:
    """Record that a dependency has just responded correctly, even if it refused the request."""
    last_successes = _LAST_SUCCESSES.get(None)
    if last_successes is not None:
        began, successes = last_successes
        successes[dependency] = monotonic() - began


def track() -> Mapping[str, float]:
    """Start recording in this task and in the tasks that it starts.

    Returns:
        Seconds from now until each dependency's last success, updated as dependencies respond.
    """
    successes: dict[str, float] = {}
    _LAST_SUCCESSES.set((monotonic(), successes))
    return successes
