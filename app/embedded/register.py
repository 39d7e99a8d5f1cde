"""The processes that run, written down, so that what a `kill -9` of their owner left can be ended.

An entry is trusted only when the process of that id was born at that instant: an id that has gone
to another program since is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the checkout."""
SAME_INSTANT = 0.05
"""Seconds by which two readings of one process's birth may differ."""
GRACE = 5.0
"""Seconds between asking a leftover to end and killing it."""


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    pid: int
    created: float
    stop_signal: int
    litter: tuple[str, ...]
    """Files outside of its home that the program leaves behind when it is killed, and folders that
    are of no use once its owner is gone: a restart by its owner finds these."""


class Register:
    """The file of entries, and a guard: a small process that ends them when this one is killed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[int, Entry] = {}
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._write()
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "app.embedded.guard", str(self._file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._guard is not None:
            self._guard.communicate()

    def add(
        self, pid: int, name: str, stop_signal: int = signal.SIGTERM, litter: Iterable[Path] = ()
    ) -> None:
        with suppress(psutil.NoSuchProcess):
            created = psutil.Process(pid).create_time()
            paths = tuple(str(path) for path in litter)
            self._entries[pid] = Entry(name, pid, created, stop_signal, paths)
            self._write()

    def remove(self, pid: int) -> bool:
        """Forget one that has ended, and sweep up after it. False when that was done before."""
        entry = self._entries.pop(pid, None)
        if entry is None:
            return False
        sweep(entry)
        self._write()
        return True

    def kill_all(self) -> None:
        for entry in self._entries.values():
            kill_group(entry.pid)

    def _write(self) -> None:
        _write(self._file, self._entries.values())


def end_leftovers(file: Path) -> list[str]:
    """End what the file names and still runs; the names of what was ended, the last started first.

    The file is emptied. One that is missing or unreadable names nothing.
    """
    entries = _read(file)[::-1]
    running = [(entry, found) for entry in entries if (found := _process(entry))]
    for entry, process in running:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(entry.stop_signal)
    for process in _still_alive(running, GRACE):
        kill_group(process.pid)
    _still_alive(running, GRACE)
    for entry in entries:
        sweep(entry, folders=True)
    if entries:
        _write(file, [])
    return [entry.name for entry, _ in running]


def kill_group(leader: int) -> None:
    """Kill a process that leads a group, as all of ours do, and what it started into the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def sweep(entry: Entry, *, folders: bool = False) -> None:
    for path in map(Path, entry.litter):
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif folders:
            shutil.rmtree(path, ignore_errors=True)


def _read(file: Path) -> list[Entry]:
    try:
        return [Entry(**entry) for entry in json.loads(file.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _write(file: Path, entries: Iterable[Entry]) -> None:
    """Whole or not at all: this process may be killed at any time."""
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps([asdict(entry) for entry in entries]))
    unfinished.replace(file)


def _process(entry: Entry) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(entry.pid)
        if abs(process.create_time() - entry.created) < SAME_INSTANT and _is_alive(process):
            return process
    return None


def _still_alive(
    running: Sequence[tuple[Entry, psutil.Process]], within: float
) -> list[psutil.Process]:
    """Wait for them to end; a zombie has ended, though its parent may never collect it."""
    deadline = time.monotonic() + within
    while alive := [process for _, process in running if _is_alive(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
