"""The terminal that `just up` was started from, and the moment it is closed.

The system tells only the leader of the session, which may be `uv` and stays (`ssh -t host 'uv run
just up'`).
"""

from __future__ import annotations

import asyncio
import os

INPUT, OUTPUT, ERRORS = 0, 1, 2
EVERY = 1.0
"""Seconds between two looks."""


def has_terminal() -> bool:
    """Whether it is connected to any: after `nohup` it is not, and a hang-up is none of ours."""
    return any(os.isatty(descriptor) for descriptor in (INPUT, OUTPUT, ERRORS))


async def until_closed() -> None:
    """Until the terminal that the output goes to is closed; for ever when it goes elsewhere.

    A closed terminal is none any more.
    """
    if not os.isatty(OUTPUT):
        await asyncio.Event().wait()
    while os.isatty(OUTPUT):  # noqa: ASYNC110 # a terminal has no event but what is typed
        await asyncio.sleep(EVERY)
