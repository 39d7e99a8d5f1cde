"""The home folder of `up`: its files, its lock and the free space on its disk."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).resolve().parents[2]
"""The root of the checkout."""
LOCK_FILE, REGISTRY_FILE, ENV_FILE, SECRET_FILE = "lock", "processes.json", "env", "secret"
"""Names of files in the home folder."""
LOCK_TIMEOUT_S = 0.3
"""How long `lock` retries: `is_locked` in another process takes the lock for an instant."""
CREATE_TIME_TOLERANCE_S = 0.05
"""How far apart two readings of the same process's creation time may be."""
MIB = 2**20
MIN_FREE_BYTES = 16 * MIB
"""The free space that Postgres needs to keep running: its write-ahead log grows in 16 MiB files."""
RESUME_FREE_BYTES = 2 * MIN_FREE_BYTES
"""The free space at which a full disk counts as usable again: enough for two such files."""
DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_FULL_MESSAGES = ("No space left on device", "Disk quota exceeded")


class AlreadyRunning(Exception):
    """Another `up` or `reset` is running in this home folder."""


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Hold the lock, and record this process in the lock file.

    The system releases the lock even if we are killed.

    Raises:
        AlreadyRunning: another process holds the lock.
    """
    with file.open("a+") as opened:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(opened.fileno()):
            if time.monotonic() > deadline:
                raise AlreadyRunning
            time.sleep(0.02)
        process = psutil.Process(os.getpid())
        opened.truncate(0)
        opened.write(json.dumps({"pid": process.pid, "created": process.create_time()}))
        opened.flush()
        yield
        opened.truncate(0)


def is_locked(file: Path) -> bool:
    """Whether a process holds the lock: a running `up` or `reset`."""
    try:
        with file.open("a+") as opened:
            return not _try_lock(opened.fileno())
    except FileNotFoundError:
        return False


def lock_holder(file: Path) -> psutil.Process | None:
    """Return the process that holds the lock; None if there is none or it has just started."""
    if not is_locked(file):
        return None
    try:
        recorded = json.loads(file.read_text())
        return find_process(recorded["pid"], recorded["created"])
    except (OSError, ValueError, KeyError):
        return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_process(pid: int, created: float) -> psutil.Process | None:
    """Return the process; None if it has exited, even if another process now has its id."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < CREATE_TIME_TOLERANCE_S:
            return process
    return None


def make_home(folder: Path) -> Path:
    """Create the home folder, private to this user, and return its absolute path.

    If we are root, other accounts may traverse the folder: Postgres runs under another account, and
    its data folder is inside. An existing folder keeps its mode.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    return folder.resolve()


def secret(home: Path) -> bytes:
    """Return the random secret in the home folder, which only this user can read.

    Create it if it is missing: under another name first, because we may be killed while writing.
    """
    file, unfinished = home / SECRET_FILE, home / f"{SECRET_FILE}.new"
    if not file.exists():
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(secrets.token_bytes(32))
        unfinished.rename(file)
    return file.read_bytes()


def is_disk_full(error: BaseException) -> bool:
    """Whether a write failed because the disk is full or a quota is exhausted."""
    return isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS


def disk_full_lines(output: Iterable[str]) -> list[str]:
    """Return the lines of a program's output that report a full disk."""
    return [line for line in output if any(message in line for message in DISK_FULL_MESSAGES)]


def free_bytes(folder: Path) -> int:
    """Return the space that an unprivileged user can fill. The folder need not exist yet."""
    return shutil.disk_usage(_nearest_existing(folder)).free


def describe_free_space(folder: Path) -> str:
    """Describe the folder, its disk and the free space, for a message."""
    existing = _nearest_existing(folder)
    mount = next(path for path in (existing, *existing.parents) if path.is_mount())
    return f"{folder} ({free_bytes(folder) // MIB} MiB free on {mount})"


def _nearest_existing(folder: Path) -> Path:
    absolute = folder.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())
