"""Finding an installed Chromium or Chrome. Neither is ever downloaded."""

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
    "--no-sandbox",  # the sandbox does not work as root or in most containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = "Chromium not found: run `apt install chromium`, or set CHROMIUM=/path/to/it"


def chromium() -> str | None:
    """Return the path in `CHROMIUM`, else that of an installed browser, else None."""
    if path := os.environ.get("CHROMIUM"):
        return path
    found = [shutil.which(name) for name in NAMES]
    return next((path for path in (*found, *ON_MACOS) if path and Path(path).exists()), None)
