"""Records when each dependency last responded. Its clients record it; the worker reads it.

It is a context variable because the use cases between the two need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from time import monotonic

_LAST_SUCCESSES: ContextVar[dict[str, float]] = ContextVar("last_successes")


def record_success(dependency: str) -> None:
    """Record that a dependency has just responded correctly, even if it refused the request."""
    last_successes = _LAST_SUCCESSES.get(None)
    if last_successes is not None:
        last_successes[dependency] = monotonic()


def track() -> Mapping[str, float]:
    """Start recording in this task and in the tasks that it starts.

    Returns:
        The monotonic time of each dependency's last success. It is updated as they respond.
    """
    last_successes: dict[str, float] = {}
    _LAST_SUCCESSES.set(last_successes)
    return last_successes
