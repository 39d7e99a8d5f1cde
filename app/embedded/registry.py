"""The registry of an owner's processes, to stop them if the owner is killed (`kill -9`).

The owner is the program that started them. An entry matches a process only if both the id and the
creation time match: if another program now has the id, that program is left alone.
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

from app.embedded.home import ROOT, find_process

KILL_AFTER_S = 5.0
"""How long to wait after a stop signal before killing a leftover process."""


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """A running process, identified by id and creation time."""

    name: str
    pid: int
    created: float
    stop_signal: int
    cleanup_paths: tuple[str, ...]
    """Files outside the home folder, removed once the process has exited, and folders, removed only
    once the owner has exited, since the owner needs them to restart the process."""


class ProcessRegistry:
    """A file of entries, and a guard: a program that stops the processes if we are killed.

    The guard receives each change through a pipe. The next `up` reads the file, in case the guard
    was killed as well.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[int, RegistryEntry] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self.write_error: OSError | None = None
        """The error that left the file out of date; None if the file is current."""

    def __enter__(self) -> Self:
        """Create the file and start the guard.

        Raises:
            OSError: the file cannot be written.
        """
        _write(self._file, [])
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "app.embedded.registry", str(self._file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._guard is not None:
            self._guard.communicate()

    def add(
        self,
        pid: int,
        name: str,
        stop_signal: int = signal.SIGTERM,
        cleanup_paths: Iterable[Path] = (),
    ) -> None:
        """Register a process that leads its process group. Ignore it if it has already exited."""
        with suppress(psutil.NoSuchProcess):
            created = psutil.Process(pid).create_time()
            paths = tuple(str(path) for path in cleanup_paths)
            self._entries[pid] = RegistryEntry(name, pid, created, stop_signal, paths)
            self._publish()

    def remove(self, pid: int) -> bool:
        """Remove an exited process and clean up after it. Return False if it is not listed."""
        entry = self._entries.pop(pid, None)
        if entry is None:
            return False
        clean_up(entry)
        self._publish()
        return True

    def kill_all(self) -> None:
        """Kill all registered processes and their children."""
        for entry in self._entries.values():
            kill_group(entry.pid)

    def retry_write(self) -> bool:
        """Write the file again if the last write failed. Return whether the file is current now."""
        if self.write_error is not None:
            self._write()
        return self.write_error is None

    def _publish(self) -> None:
        self._notify_guard()
        self._write()

    def _notify_guard(self) -> None:
        if self._guard is None or self._guard.stdin is None:
            return
        with suppress(BrokenPipeError):  # the guard was killed, so only the file remains
            self._guard.stdin.write(_serialize(self._entries.values()) + b"\n")
            self._guard.stdin.flush()

    def _write(self) -> None:
        """Write the file. Store an error instead of raising it: a full disk must not stop us."""
        try:
            _write(self._file, self._entries.values())
            self.write_error = None
        except OSError as error:
            self.write_error = error


def stop_leftovers(file: Path) -> list[str]:
    """Stop the listed processes that are still running, remove the file, and return the names.

    A missing or malformed file counts as empty.
    """
    try:
        entries = parse_entries(file.read_bytes())
    except FileNotFoundError:
        return []
    stopped = _stop_all(entries)
    file.unlink(missing_ok=True)
    return stopped


def _stop_all(entries: Sequence[RegistryEntry]) -> list[str]:
    """Stop the processes that are still running, newest first, and return their names."""
    newest_first = entries[::-1]
    running = [(entry, found) for entry in newest_first if (found := _find_running(entry))]
    for entry, process in running:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(entry.stop_signal)
    for process in _wait_until_gone(running, KILL_AFTER_S):
        kill_group(process.pid)
    _wait_until_gone(running, KILL_AFTER_S)
    for entry in entries:
        clean_up(entry, folders=True)
    return [entry.name for entry, _ in running]


def kill_group(leader: int) -> None:
    """Kill a process and the children in its group. Each of our processes leads a group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def clean_up(entry: RegistryEntry, *, folders: bool = False) -> None:
    """Remove the files that a process left behind and, with `folders`, its folders as well."""
    for path in map(Path, entry.cleanup_paths):
        if path.is_dir():
            if folders:
                shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(PermissionError):  # another user's file with the same name
                path.unlink(missing_ok=True)


def parse_entries(text: bytes) -> list[RegistryEntry]:
    """Return the entries; an empty list if the text is malformed or from another version."""
    try:
        return [RegistryEntry(**entry) for entry in json.loads(text)]
    except (ValueError, TypeError):
        return []


def _serialize(entries: Iterable[RegistryEntry]) -> bytes:
    return json.dumps([asdict(entry) for entry in entries]).encode()


def _write(file: Path, entries: Iterable[RegistryEntry]) -> None:
    """Write the file atomically: we may be killed at any time, and the disk may be full."""
    unfinished = file.with_suffix(".new")
    try:
        unfinished.write_bytes(_serialize(entries))
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _find_running(entry: RegistryEntry) -> psutil.Process | None:
    process = find_process(entry.pid, entry.created)
    return process if process is not None and _is_alive(process) else None


def _wait_until_gone(
    running: Sequence[tuple[RegistryEntry, psutil.Process]], timeout_s: float
) -> list[psutil.Process]:
    """Wait for processes to exit and return those still alive. A zombie counts as exited."""
    deadline = time.monotonic() + timeout_s
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


def guard(file: Path) -> None:
    """Wait until the owner has exited, then stop the processes in the owner's last list.

    An owner killed with `kill -9` cannot stop its servers. On every change the owner writes its
    whole list as one line to our standard input, which works even on a full disk. End of input
    means that the owner has exited. After an orderly stop the last list is empty.
    """
    last = b""
    for line in sys.stdin.buffer:
        if line.endswith(b"\n"):
            last = line
    if entries := parse_entries(last):
        _stop_all(entries)
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    guard(Path(sys.argv[1]))
