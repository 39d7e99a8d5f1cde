"""Stamps of when each job began and ended, recorded in the same way by all contenders' handlers.

A stamp is the job's number (inverted for an end) and the time on the monotonic clock, which all
processes on the machine share: 16 bytes, appended in one write. The benchmark reads the progress
from the file, without any load on the servers.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from time import monotonic_ns
from typing import NamedTuple

_STAMP = struct.Struct("<qq")
FILE_VARIABLE = "BENCH_STAMPS"
"""The environment variable with the path of the file."""


async def work(number: int, seconds: float) -> None:
    """Do what every contender's job does: record the start; if it sleeps, also record the end."""
    _write(number)
    if seconds:
        await asyncio.sleep(seconds)
        _write(~number)


def _write(number: int) -> None:
    os.write(_file(), _STAMP.pack(number, monotonic_ns()))


@cache
def _file() -> int:
    return os.open(os.environ[FILE_VARIABLE], os.O_WRONLY | os.O_APPEND)


class Stamp(NamedTuple):
    number: int
    at: int
    """Nanoseconds on the monotonic clock."""


class Stamps:
    """The stamps that the workers have written so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clear()

    def clear(self) -> None:
        """Remove all stamps. No worker may be running."""
        self.path.write_bytes(b"")

    def __len__(self) -> int:
        return self.path.stat().st_size // _STAMP.size

    def read(self) -> Sequence[Stamp]:
        """Read all stamps, in the order they were written."""
        data = self.path.read_bytes()
        return [Stamp(*pair) for pair in _STAMP.iter_unpack(data)]

    def starts(self) -> Sequence[Stamp]:
        return [stamp for stamp in self.read() if stamp.number >= 0]

    async def reach(self, count: int, *, within: float = 120) -> None:
        """Wait until there are `count` stamps.

        Raises:
            TimeoutError: there are fewer stamps after `within` seconds.
        """
        async with asyncio.timeout(within):
            while len(self) < count:  # noqa: ASYNC110 # no event to wait for
                await asyncio.sleep(0.005)
