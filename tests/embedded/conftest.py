"""A home folder that Postgres's account can enter; pytest's own folders are private to us."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.postgres import place_aside
from tests.embedded.disks import mounted


@pytest.fixture
def home() -> Iterator[Path]:
    """Not made yet; gone afterwards, as is the place aside of it."""
    with tempfile.TemporaryDirectory(prefix="activelog-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        yield home
        shutil.rmtree(place_aside(home), ignore_errors=True)


@pytest.fixture
def disk(home: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of its own, of as many MiB as the test's parameter says."""
    home.mkdir(mode=0o711)
    with mounted(home, request.param):
        yield home
