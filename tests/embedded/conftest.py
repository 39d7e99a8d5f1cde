"""Home folders that Postgres's account can enter, unlike pytest's own folders."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.postgres import fallback_folder
from tests.embedded.disks import mounted


@pytest.fixture
def home() -> Iterator[Path]:
    """Yield the path for a new home folder. Remove it and the fallback folder afterwards."""
    with tempfile.TemporaryDirectory(prefix="activelog-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        yield home
        shutil.rmtree(fallback_folder(home), ignore_errors=True)


@pytest.fixture
def disk(home: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Mount a separate disk for the home folder. The test's parameter is the size in MiB."""
    home.mkdir(mode=0o711)
    with mounted(home, request.param):
        yield home
