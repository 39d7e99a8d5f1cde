"""The lock that one `up` holds for as long as it runs. The system frees it however `up` ends."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from app.embedded.register import SAME_INSTANT

if sys.platform != "win32":
    import fcntl

PATIENCE = 0.3
"""Seconds: somebody who only looks holds the lock for an instant."""


class AlreadyRunning(Exception):
    """Another `up` holds the lock."""


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Raises: AlreadyRunning."""
    with file.open("a+") as held:
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(held.fileno()):
            if time.monotonic() > deadline:
                raise AlreadyRunning
            time.sleep(0.02)
        process = psutil.Process(os.getpid())
        held.truncate(0)
        held.write(json.dumps({"pid": process.pid, "created": process.create_time()}))
        held.flush()
        yield
        held.truncate(0)


def is_locked(file: Path) -> bool:
    try:
        with file.open("a+") as looked_at:
            return not _try_lock(looked_at.fileno())
    except FileNotFoundError:
        return False


def holder(file: Path) -> psutil.Process | None:
    """The `up` that holds the lock; None when nobody does or it says nothing of itself yet."""
    if not is_locked(file):
        return None
    try:
        written = json.loads(file.read_text())
        process = psutil.Process(written["pid"])
        return process if abs(process.create_time() - written["created"]) < SAME_INSTANT else None
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
