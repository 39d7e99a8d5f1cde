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
from typing import Literal

WORKER = 5
"""The niceness of a worker: behind the API, before whatever draws."""
DRAWING = 10
APART, TRIES = 0.1, 20
"""Seconds between two changes of sessions that Linux takes from those who are not root, and how
often it is asked: others may be as quick."""


def give_way(niceness: int) -> None:
    """Have this process, and those that it will start, let others go first from now on.

    One that leads no session gives way within the session of who started it.

    Args:
        niceness: as getpriority(2) counts, at most 19. What gives way as far already is left as it
            is.
    """
    os.nice(max(0, niceness - os.nice(0)))
    if os.getsid(0) == os.getpid():
        have_session_give_way(session_of("self"), niceness)


def have_give_way(leader: int, niceness: int) -> None:
    """Have a process that was just started let others go first, as far as the system lets us.

    It leads a session. Whoever started it will see if it has ended.
    """
    with suppress(OSError):
        given = os.getpriority(os.PRIO_PROCESS, leader)
        os.setpriority(os.PRIO_PGRP, leader, max(given, niceness))
    have_session_give_way(session_of(leader), niceness)


def session_of(pid: int | Literal["self"]) -> Path:
    """The file by which Linux tells of a process's session, and is told."""
    return Path(f"/proc/{pid}/autogroup")


def session_niceness(session: Path) -> int | None:
    """How far a session gives way, by its file (proc(5)).

    Returns:
        None where the system does not say: outside of Linux, and for what began before any session
        was opened, as init does and whatever it starts in its own.
    """
    with suppress(OSError, ValueError):
        words = session.read_text().split()  # "/autogroup-71 nice 0", or ""
        return int(words[-1]) if words else None
    return None


def have_session_give_way(session: Path, niceness: int) -> None:
    """Raise a session's niceness, unless it is that high already.

    If the system refuses, give up soon: the niceness is not essential.

    Args:
        session: the file of `session_of`.
    """
    given = session_niceness(session)
    if given is None or given >= niceness:
        return
    with suppress(OSError):
        for _ in range(TRIES):
            try:
                session.write_text(f"{niceness}\n")
            except BlockingIOError:  # too soon after another's change
                time.sleep(APART)
            else:
                return
