"""Which processes go first where processors are short: those that somebody waits for.

Linux shares the processors out by sessions first and looks at niceness within each (sched(7), "The
autogroup feature"), so that a session gives way as a whole, with the process that leads it. In a
container niceness counts inside of it alone: beside others, the engine's shares do.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

WORKER = 5
"""The niceness of a worker: behind the API, before whatever draws."""
DRAWING = 10
APART = 0.1
"""Seconds between two changes of sessions that Linux takes from those who are not root."""
PROC = Path("/proc")


def give_way(niceness: int) -> None:
    """Have this process, and those that it will start, let others go first from now on.

    One that leads no session gives way within the session of who started it.

    Args:
        niceness: as getpriority(2) counts, at most 19. What gives way as far already is left as it
            is.
    """
    os.nice(max(0, niceness - os.nice(0)))
    if os.getsid(0) == os.getpid():
        _have_session_give_way(os.getpid(), niceness)


def have_give_way(leader: int, niceness: int) -> None:
    """Have a process that was just started let others go first. It leads a session."""
    with suppress(ProcessLookupError):  # whoever started it will see that it has ended
        os.setpriority(os.PRIO_PGRP, leader, niceness)
    _have_session_give_way(leader, niceness)


def session_niceness(pid: int) -> int | None:
    """How far the session of this process gives way, by proc(5).

    Returns:
        None where nothing is shared by sessions: outside of Linux, and for what began before any
        session was opened, as init may and whatever it starts in its own.
    """
    with suppress(FileNotFoundError, ProcessLookupError):
        words = (PROC / str(pid) / "autogroup").read_text().split()  # "/autogroup-71 nice 0", or ""
        return int(words[-1]) if words else None
    return None


def _have_session_give_way(leader: int, niceness: int) -> None:
    with suppress(OSError):  # it is gone, or the system takes no wishes: work goes on all the same
        while (given := session_niceness(leader)) is not None and given < niceness:
            try:
                (PROC / str(leader) / "autogroup").write_text(f"{niceness}\n")
            except BlockingIOError:  # too soon after another's change
                time.sleep(APART)
