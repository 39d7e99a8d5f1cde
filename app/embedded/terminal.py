"""The terminal that `just up` was started from, and the moment it is closed.

The kernel sends SIGHUP to the leader of the session only. That may be `uv`, which ignores it
(`ssh -t host 'uv run just up'`), so the terminal is polled.
"""

from __future__ import annotations

import asyncio
import os

INPUT, OUTPUT, ERRORS = 0, 1, 2
EVERY = 1.0
"""Seconds between two looks."""


def has_terminal() -> bool:
    """Whether this process has one. After `nohup` it has none, and SIGHUP is ignored."""
    return any(os.isatty(descriptor) for descriptor in (INPUT, OUTPUT, ERRORS))


async def until_closed() -> None:
    """Return once the terminal that the output goes to is closed; never when it goes elsewhere.

    isatty() is false for a closed terminal.
    """
    if not os.isatty(OUTPUT):
        await asyncio.Event().wait()
    while os.isatty(OUTPUT):  # noqa: ASYNC110 # a terminal has no event but what is typed
        await asyncio.sleep(EVERY)
