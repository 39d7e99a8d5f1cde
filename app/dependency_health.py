"""Which dependencies have answered: their clients say so, and whoever runs a job listens.

By a context variable, since the use cases between the two need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from time import monotonic

_ANSWERS: ContextVar[dict[str, float]] = ContextVar("answers")


def note(dependency: str) -> None:
    """It has just answered as it should, be it with a refusal of what it was asked."""
    answers = _ANSWERS.get(None)
    if answers is not None:
        answers[dependency] = monotonic()


def listen() -> Mapping[str, float]:
    """When, by the monotonic clock, each dependency answers last, from here on in this task and in
    those that it starts."""
    answers: dict[str, float] = {}
    _ANSWERS.set(answers)
    return answers
