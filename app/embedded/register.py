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
    """The file of entries, and a guard: a small process that ends them when this one is killed.

    The guard hears of each change through a pipe. The file is for the next `up`, in case the
    guard was killed as well.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[int, Entry] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self.unwritten: OSError | None = None
        """Why the file is not up to date; None when it is."""

    def __enter__(self) -> Self:
        """Raises: OSError: the file cannot be written."""
        _write(self._file, [])
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
            self._record()

    def remove(self, pid: int) -> bool:
        """Forget one that has ended, and sweep up after it. False when that was done before."""
        entry = self._entries.pop(pid, None)
        if entry is None:
            return False
        sweep(entry)
        self._record()
        return True

    def kill_all(self) -> None:
        for entry in self._entries.values():
            kill_group(entry.pid)

    def catch_up(self) -> bool:
        """Write the file if that failed before; whether it is up to date now."""
        if self.unwritten is not None:
            self._write()
        return self.unwritten is None

    def _record(self) -> None:
        self._tell_guard()
        self._write()

    def _tell_guard(self) -> None:
        if self._guard is None or self._guard.stdin is None:
            return
        with suppress(BrokenPipeError):  # it was killed: the file must do
            self._guard.stdin.write(_serialized(self._entries.values()) + b"\n")
            self._guard.stdin.flush()

    def _write(self) -> None:
        """Keep a failure instead of raising it, so that a full disk ends nothing."""
        try:
            _write(self._file, self._entries.values())
            self.unwritten = None
        except OSError as error:
            self.unwritten = error


def end_leftovers(file: Path) -> list[str]:
    """End what the file names and still runs, and remove the file; the names of what was ended.

    A file that is missing or malformed names nothing.
    """
    try:
        entries = parsed(file.read_bytes())
    except FileNotFoundError:
        return []
    ended = end_all(entries)
    file.unlink(missing_ok=True)
    return ended


def end_all(entries: Sequence[Entry]) -> list[str]:
    """End those that still run, the last started first; the names of what was ended."""
    newest_first = entries[::-1]
    running = [(entry, found) for entry in newest_first if (found := _process(entry))]
    for entry, process in running:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(entry.stop_signal)
    for process in _still_alive(running, GRACE):
        kill_group(process.pid)
    _still_alive(running, GRACE)
    for entry in entries:
        sweep(entry, folders=True)
    return [entry.name for entry, _ in running]


def kill_group(leader: int) -> None:
    """Kill a process that leads a group, as all of ours do, and what it started into the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def sweep(entry: Entry, *, folders: bool = False) -> None:
    for path in map(Path, entry.litter):
        if path.is_dir():
            if folders:
                shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(PermissionError):  # another user's file of that name
                path.unlink(missing_ok=True)


def parsed(text: bytes) -> list[Entry]:
    """The entries; none when it is not a register that this version wrote."""
    try:
        return [Entry(**entry) for entry in json.loads(text)]
    except (ValueError, TypeError):
        return []


def _serialized(entries: Iterable[Entry]) -> bytes:
    return json.dumps([asdict(entry) for entry in entries]).encode()


def _write(file: Path, entries: Iterable[Entry]) -> None:
    """Whole or not at all: this process may be killed at any time, and the disk may be full."""
    unfinished = file.with_suffix(".new")
    try:
        unfinished.write_bytes(_serialized(entries))
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


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
