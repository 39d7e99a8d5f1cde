"""A home folder that Postgres's account can enter; pytest's own folders are private to us."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.postgres import place_aside


@pytest.fixture
def home() -> Iterator[Path]:
    """Not made yet; gone afterwards, as is the place aside of it."""
    with tempfile.TemporaryDirectory(prefix="activelog-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        yield home
        shutil.rmtree(place_aside(home), ignore_errors=True)
