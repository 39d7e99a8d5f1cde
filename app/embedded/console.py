"""What `just up` says: its own lines, and those of the children behind their names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from app.embedded.disk import is_full

WIDTH = 8
COLOURS = {"api": 36, "worker": 35, "migrate": 33, "demo": 33, "up": 32}
OTHER = 34


def say(line: str) -> None:
    write("up", line)


def shown_as(name: str) -> Callable[[str], None]:
    def show(line: str) -> None:
        write(name, line)

    return show


def write(name: str, line: str) -> None:
    label = f"{name:<{WIDTH}}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        label = f"\033[{COLOURS.get(name, OTHER)}m{label}\033[0m"
    print_safely(f"{label}| {line}")


def print_safely(text: str) -> None:
    """A reader that went away (`just up | head`) is no reason to stop, nor is a full disk."""
    try:
        print(text, flush=True)
    except OSError as error:
        if is_full(error):
            return
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 # for the rest of this process
