"""A lower CPU priority for background processes.

Linux first divides CPU time between sessions, and applies niceness within each (sched(7), "The
autogroup feature"), so a session gets a lower priority together with the process that leads it. In
a container, niceness applies only inside the container; between containers, the container engine's
CPU shares apply.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

WORKER_NICENESS = 5
"""A lower priority than the API's, and a higher one than PDF rendering's."""
PDF_NICENESS = 10
RETRY_INTERVAL_S, MAX_TRIES = 0.1, 20
"""For users other than root, Linux accepts only one change to any session's niceness per interval,
system-wide. Other processes may get in first."""


def lower_own_priority(niceness: int) -> None:
    """Lower the priority of this process and of those that it starts from now on.

    If this process leads a session, lower the session's priority too.

    Args:
        niceness: as in getpriority(2), at most 19. A process that is already at least this nice is
            left unchanged.
    """
    os.nice(max(0, niceness - os.nice(0)))
    if os.getsid(0) == os.getpid():
        lower_session_priority(session_file("self"), niceness)


def lower_priority_of(leader: int, niceness: int) -> None:
    """Lower the priority of a process that has just been started and leads a session.

    Failures are ignored: the process may have ended, which its parent will notice.
    """
    with suppress(OSError):
        current = os.getpriority(os.PRIO_PROCESS, leader)
        os.setpriority(os.PRIO_PGRP, leader, max(current, niceness))
    lower_session_priority(session_file(leader), niceness)


def session_file(pid: int | Literal["self"]) -> Path:
    """Return the file in which Linux shows and sets the niceness of a process's session."""
    return Path(f"/proc/{pid}/autogroup")


def session_niceness(session: Path) -> int | None:
    """Read the niceness of a session from its file (proc(5)).

    Returns:
        The niceness, or None if the system does not say: outside Linux, and for init and
        the processes that share its session.
    """
    with suppress(OSError, ValueError):
        words = session.read_text().split()  # "/autogroup-71 nice 0", or ""
        return int(words[-1]) if words else None
    return None


def lower_session_priority(session: Path, niceness: int) -> None:
    """Raise a session's niceness, unless it is already that high.

    If the system keeps refusing, give up after 2 s: the niceness is not essential.

    Args:
        session: the file that `session_file` returns.
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
