"""Restart programs that exit, with an increasing delay, and watch for a full disk.

While the disk is full, a restarted program may exit again.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.embedded.console import say
from app.embedded.daemon import Daemon, DidNotStart
from app.embedded.home import (
    MIN_FREE_BYTES,
    RESUME_FREE_BYTES,
    describe_free_space,
    free_bytes,
    is_disk_full,
)
from app.embedded.registry import ProcessRegistry

MIN_RESTART_DELAY_S, MAX_RESTART_DELAY_S = 0.5, 10.0
"""Delays before a restart. The delay doubles with each consecutive exit."""
STABLE_AFTER_S = 30.0
"""A program that ran longer than this before exiting is restarted with the shortest delay."""
DISK_POLL_S = 1.0
"""Interval between checks of the disk."""


async def supervise(
    daemons: Sequence[Daemon], folders: Sequence[Path], registry: ProcessRegistry
) -> None:
    """Keep the programs running until cancelled.

    Args:
        folders: where the programs keep their files.
    """
    watchers = [asyncio.create_task(_restart_forever(daemon)) for daemon in daemons]
    watchers.append(asyncio.create_task(_watch_disk(daemons, folders, registry)))
    try:
        await asyncio.gather(*watchers)
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _restart_forever(daemon: Daemon) -> None:
    delay = MIN_RESTART_DELAY_S
    spawn_error = ""
    while True:
        started_at = time.monotonic()
        reason = spawn_error or f"{daemon.name} {describe_exit(await daemon.wait())}"
        if time.monotonic() - started_at > STABLE_AFTER_S:
            delay = MIN_RESTART_DELAY_S
        say(f"{reason}: restarting in {delay:g} s")
        await asyncio.sleep(delay)
        delay = min(delay * 2, MAX_RESTART_DELAY_S)
        spawn_error = await _try_spawn(daemon)


async def _try_spawn(daemon: Daemon) -> str:
    """Start the program. If that fails, return the reason, otherwise an empty string."""
    try:
        await daemon.spawn()
    except DidNotStart as error:
        return str(error)
    except OSError as error:
        return f"{daemon.name} did not start: {error}"
    return ""


async def _watch_disk(
    daemons: Sequence[Daemon], folders: Sequence[Path], registry: ProcessRegistry
) -> None:
    """Report when the disk becomes full and when everything has recovered, until cancelled."""
    is_reported = has_room = False
    while True:
        await asyncio.sleep(DISK_POLL_S)
        if not is_reported:
            if problem := _disk_problem(folders, registry):
                say(problem)
                is_reported, has_room = True, False
        elif not (registry.retry_write() and _has_room(folders)):
            has_room = False
        elif not has_room:
            has_room = True
            _restart_if_slow_to_notice(daemons)
        elif all(await asyncio.gather(*(daemon.is_ready() for daemon in daemons))):
            say(f"everything has recovered: {describe_free_space(folders[0])}")
            is_reported = False


def _has_room(folders: Sequence[Path]) -> bool:
    return all(free_bytes(folder) >= RESUME_FREE_BYTES for folder in folders)


def _restart_if_slow_to_notice(daemons: Iterable[Daemon]) -> None:
    for daemon in daemons:
        if daemon.slow_to_notice_free_space and daemon.kill():
            say(f"disk space is available again: restarting {daemon.name}")


def _disk_problem(folders: Sequence[Path], registry: ProcessRegistry) -> str | None:
    error = registry.write_error
    if error is not None and not registry.retry_write() and not is_disk_full(error):
        return f"cannot write the process registry: {error}"
    full = [folder for folder in folders if free_bytes(folder) < MIN_FREE_BYTES]
    if not full and registry.write_error is None:
        return None
    where = describe_free_space(full[0] if full else folders[0])
    return f"too little space left in {where}: free some space and the servers will recover"


def describe_exit(code: int) -> str:
    """Describe an exit code. The code is negative if a signal ended the program."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
