"""Event loop lag: the loop records every 10 ms how late it wakes, as a double, in seconds."""

from __future__ import annotations

import asyncio
import os
import struct
from pathlib import Path
from time import monotonic

INTERVAL_S = 0.01
FILE_VARIABLE = "BENCH_LAG"
"""The environment variable with the path of the file."""


async def record_lag() -> None:
    """Record the lag of this event loop until cancelled."""
    file = os.open(os.environ[FILE_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        began = monotonic()
        await asyncio.sleep(INTERVAL_S)
        os.write(file, struct.pack("<d", max(0.0, monotonic() - began - INTERVAL_S)))


def lags(file: Path, since: int) -> list[float]:
    """Return the lags recorded after byte `since`, in milliseconds."""
    recorded = file.read_bytes()[since:]
    return [seconds * 1000 for (seconds,) in struct.iter_unpack("<d", recorded)]


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
