"""Keeping programs running: one that dies is started again, a little later each time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable

from app.embedded.console import say
from app.embedded.daemon import Daemon, DidNotStart

SHORTEST, LONGEST = 0.5, 10.0
"""Seconds before a restart: doubled by each death in a row."""
STEADY = 30.0
"""Seconds of life after which a death counts as the first again."""


async def keep_running(family: Iterable[Daemon]) -> None:
    """Until cancelled."""
    watchers = [asyncio.create_task(_keep_one_running(one)) for one in family]
    try:
        await asyncio.gather(*watchers)
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _keep_one_running(one: Daemon) -> None:
    pause = SHORTEST
    while True:
        since = time.monotonic()
        code = await one.wait()
        if time.monotonic() - since > STEADY:
            pause = SHORTEST
        say(f"{one.name} {described(code)}: it is started again in {pause:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST)
        try:
            await one.spawn()
        except DidNotStart as error:
            say(str(error))


def described(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
