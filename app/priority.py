"""Which processes go first where processors are short: those that somebody waits for."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

WORKER = 10
"""The niceness of a worker: behind the API, before whatever draws."""
DRAWING = 19
APART = 0.1
"""Seconds between two changes of sessions that Linux takes from those who are not root."""


def give_way(nice: int) -> None:
    """Have this process, and those that it will start, let others go first, for good.

    Linux shares the processors out by sessions first and looks at niceness within each (sched(7),
    "The autogroup feature"): a process that leads a session has all of that give way. One that
    does not leads nobody, and gives way within the session of who started it. In a container
    niceness counts inside of it alone: beside others, the engine's shares do.

    Args:
        nice: how much, as nice(2) counts: at most 19, and 0 changes nothing.
    """
    now = os.nice(nice)
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with suppress(FileNotFoundError, PermissionError):  # it does not share so, or lets nobody
            _have_session_give_way(now)


def _have_session_give_way(nice: int) -> None:
    """
    Raises:
        FileNotFoundError, PermissionError: this kernel does not share by sessions, or hides it.
    """
    while True:
        with suppress(BlockingIOError):  # too soon after another's change
            Path("/proc/self/autogroup").write_text(f"{nice}\n")
            return
        time.sleep(APART)
