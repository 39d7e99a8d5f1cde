"""The disk that the servers write to: whether it is full, and the words that say so."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

MIB = 2**20
NEEDED = 16 * MIB
"""Bytes without which Postgres cannot go on: its log grows by files of 16 MiB."""
ENOUGH = 2 * NEEDED
"""Bytes that count as room again: twice as many, so that the next such file does not fill it."""
ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
WORDS = ("No space left on device", "Disk quota exceeded")


def is_full(error: BaseException) -> bool:
    """Whether the system refused to write for lack of space, or because a quota is used up."""
    return isinstance(error, OSError) and error.errno in ERRORS


def lines_of_full_disk(output: Iterable[str]) -> list[str]:
    """Those lines of a program's output that say that a disk is full."""
    return [line for line in output if any(words in line for words in WORDS)]


def free_bytes(folder: Path) -> int:
    """What an unprivileged user may still write there; the folder need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def room_in(folder: Path) -> str:
    """The folder, its disk, and how much is free on it."""
    existing = _existing(folder)
    mount = next(one for one in (existing, *existing.parents) if one.is_mount())
    return f"{folder} ({free_bytes(folder) // MIB} MiB free on {mount})"


def _existing(folder: Path) -> Path:
    whole = folder.absolute()
    return next(one for one in (whole, *whole.parents) if one.exists())
