"""Keeping programs running: one that dies is started again, a little later each time.

On a full disk they die of it again and again, until there is room.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.embedded.console import say
from app.embedded.daemon import Daemon, DidNotStart
from app.embedded.disk import ENOUGH, NEEDED, free_bytes, is_full, room_in
from app.embedded.register import Register

SHORTEST, LONGEST = 0.5, 10.0
"""Seconds before a restart: doubled by each death in a row."""
STEADY = 30.0
"""Seconds of life after which a death counts as the first again."""
EVERY = 1.0
"""Seconds between two looks at the disk."""


async def keep_running(
    family: Sequence[Daemon], folders: Sequence[Path], register: Register
) -> None:
    """Until cancelled.

    Args:
        folders: where the family keeps its files.
    """
    watchers = [asyncio.create_task(_keep_one_running(one)) for one in family]
    watchers.append(asyncio.create_task(_watch_disk(family, folders, register)))
    try:
        await asyncio.gather(*watchers)
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _keep_one_running(one: Daemon) -> None:
    pause = SHORTEST
    refusal = ""
    while True:
        since = time.monotonic()
        what = refusal or f"{one.name} {described(await one.wait())}"
        if time.monotonic() - since > STEADY:
            pause = SHORTEST
        say(f"{what}: it is started again in {pause:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST)
        refusal = await _spawn(one)


async def _spawn(one: Daemon) -> str:
    """Start it; why that could not be done, or nothing."""
    try:
        await one.spawn()
    except DidNotStart as error:
        return str(error)
    except OSError as error:
        return f"{one.name} cannot be started: {error}"
    return ""


async def _watch_disk(
    family: Sequence[Daemon], folders: Sequence[Path], register: Register
) -> None:
    """Say once that the disk is full, and once that everything answers again. Until cancelled."""
    told = has_room = False
    while True:
        await asyncio.sleep(EVERY)
        if not told:
            if trouble := _trouble(folders, register):
                say(trouble)
                told, has_room = True, False
        elif not register.catch_up() or any(free_bytes(one) < ENOUGH for one in folders):
            has_room = False
        elif not has_room:
            has_room = True
            _restart_the_slow(family)
        elif all(await asyncio.gather(*(one.answers() for one in family))):
            say(f"there is room again and everything answers: {room_in(folders[0])}")
            told = False


def _restart_the_slow(family: Iterable[Daemon]) -> None:
    for one in family:
        if one.notices_room_late and one.kill():
            say(f"there is room again: {one.name} is restarted, it would notice late")


def _trouble(folders: Sequence[Path], register: Register) -> str | None:
    refused = register.unwritten
    if refused is not None and not register.catch_up() and not is_full(refused):
        return f"the list of processes cannot be written: {refused}"
    full = [folder for folder in folders if free_bytes(folder) < NEEDED]
    if not full and register.unwritten is None:
        return None
    where = room_in(full[0] if full else folders[0])
    return f"no space left in {where}: free some, and the servers restart by themselves"


def described(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
