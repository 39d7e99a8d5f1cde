"""Small disks, in memory, that a test may fill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BLOCK = b"\0" * 65536


@contextmanager
def mounted(folder: Path, mib: int) -> Iterator[None]:
    """A disk of that size on the folder; without the right to mount one, the test is skipped."""
    size = f"size={mib}m,mode=711"
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip(f"only root may mount a disk: {mounting.stderr.decode().strip()}")
    yield
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Write until not one byte more fits; the file whose removal makes room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (BLOCK, b"\0"):
            with suppress(OSError):
                while file.write(block):
                    pass
    return ballast
