"""Small in-memory disks for tests to fill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BLOCK = b"\0" * 65536


@contextmanager
def mounted(folder: Path, mib: int) -> Iterator[None]:
    """Mount a disk of `mib` MiB on the folder. Skip the test if we are not allowed to mount."""
    size = f"size={mib}m,mode=711"
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip(f"only root may mount a disk: {mounting.stderr.decode().strip()}")
    yield
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk. Return the file whose removal frees the space again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (BLOCK, b"\0"):
            with suppress(OSError):
                while file.write(block):
                    pass
    return ballast
