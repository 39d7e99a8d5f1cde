"""How long to wait before the next attempt."""

from __future__ import annotations

from datetime import timedelta

LONGEST = timedelta(hours=1)


def equal_jitter(base: timedelta, failures: int, draw: float) -> timedelta:
    """Exponential backoff of which half is certain and half is drawn.

    Spreads those that failed together without ever retrying at once ("Exponential Backoff and
    Jitter", AWS Architecture Blog, 2015).

    Args:
        failures: failed attempts so far, at least 1.
        draw: a random number from [0, 1).
    """
    ceiling = min(base * float(2 ** min(failures - 1, 30)), LONGEST)
    return ceiling / 2 + ceiling / 2 * draw
