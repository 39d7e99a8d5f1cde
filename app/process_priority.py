"""Lowers the CPU priority of processes that nobody waits for.

Linux divides CPU time between sessions first and applies niceness within each (sched(7), "The
autogroup feature"), so a session is lowered together with the process that leads it. In a container
niceness applies only within it; between containers, the CPU shares of the engine apply.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

WORKER_NICENESS = 5
"""Below the API, above PDF rendering."""
PDF_NICENESS = 10
RETRY_INTERVAL_S, MAX_TRIES = 0.1, 20
"""From users other than root, Linux accepts one change of a session in this interval, of the whole
system. Other processes can be first each time."""


def lower_own_priority(niceness: int) -> None:
    """Lower the priority of this process and of those that it starts from now on.

    If it leads a session, that is lowered too.

    Args:
        niceness: as in getpriority(2), at most 19. A process that is already as nice is unchanged.
    """
    os.nice(max(0, niceness - os.nice(0)))
    if os.getsid(0) == os.getpid():
        lower_session_priority(session_file("self"), niceness)


def lower_priority_of(leader: int, niceness: int) -> None:
    """Lower the priority of a process that was just started and leads a session.

    Failures are ignored: the process may have ended, which its parent will notice.
    """
    with suppress(OSError):
        current = os.getpriority(os.PRIO_PROCESS, leader)
        os.setpriority(os.PRIO_PGRP, leader, max(current, niceness))
    lower_session_priority(session_file(leader), niceness)


def session_file(pid: int | Literal["self"]) -> Path:
    """Return the file with which Linux shows and changes the niceness of a process's session."""
    return Path(f"/proc/{pid}/autogroup")


def session_niceness(session: Path) -> int | None:
    """Read the niceness of a session from its file (proc(5)).

    Returns:
        None if the system does not say: outside of Linux, and for processes that no session was
        opened for, such as init and those that it starts in its own.
    """
    with suppress(OSError, ValueError):
        words = session.read_text().split()  # "/autogroup-71 nice 0", or ""
        return int(words[-1]) if words else None
    return None


def lower_session_priority(session: Path, niceness: int) -> None:
    """Raise a session's niceness, unless it is already as high.

    If the system refuses, stop after 2 s: the niceness is not essential.

    Args:
        session: the file of `session_file`.
    """
    current = session_niceness(session)
    if current is None or current >= niceness:
        return
    with suppress(OSError):
        for _ in range(MAX_TRIES):
            try:
                session.write_text(f"{niceness}\n")
            except BlockingIOError:  # too soon after another change
                time.sleep(RETRY_INTERVAL_S)
            else:
                return
