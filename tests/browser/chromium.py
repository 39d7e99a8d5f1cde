"""The Chromium of this machine. None is ever downloaded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = (
    "--no-sandbox",  # which root and most containers cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = "no Chromium here, which `apt install chromium` or CHROMIUM=/path/to/it provides"


def chromium() -> str | None:
    """The path of the browser: `CHROMIUM`, or whatever is installed."""
    if given := os.environ.get("CHROMIUM"):
        return given
    found = [shutil.which(name) for name in NAMES]
    return next((path for path in (*found, *ON_MACOS) if path and Path(path).exists()), None)
