"""Platforms without wheels, and a program that is not in its usual place."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from app.embedded.home import ROOT
from app.embedded.wheels import UnsupportedPlatform, require_supported_platform


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has glibc")
@pytest.mark.parametrize("library", [("glibc", "2.17"), ("", "")])
def test_old_glibc_or_another_libc_is_unsupported(
    library: tuple[str, str],
) -> None:
    with pytest.raises(
        UnsupportedPlatform, match=r"docker compose --env-file deploy/development\.env up"
    ):
        require_supported_platform(library)


def test_this_machine_is_supported() -> None:
    require_supported_platform()


MIGRATE = """
import asyncio, sys
from app.postgres.migrations import MigrationFailed, migrate
try:
    asyncio.run(migrate(sys.argv[1]))
except MigrationFailed as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("path", "output"),
    [
        (sysconfig.get_path("scripts"), ""),
        ("", "dbmate is not installed: run `uv sync`\n"),
    ],
)
def test_dbmate_is_also_found_on_the_path_and_reported_if_it_is_missing(
    tmp_path: Path, database_url: str, path: str, output: str
) -> None:
    """An overlay environment (`uv run --with`) has no dbmate next to its interpreter."""
    venv.create(tmp_path)
    environ = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
    ran = subprocess.run(
        [tmp_path / "bin" / "python", "-c", MIGRATE, database_url],
        capture_output=True, check=True, text=True, env=environ,
    )  # fmt: skip
    assert ran.stdout == output
