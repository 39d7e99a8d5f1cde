"""Machines that have no wheels, and the table's discretion."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from app.embedded.register import ROOT
from app.embedded.table import without_password
from app.embedded.wheels import Unsupported, refuse_unsupported


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
@pytest.mark.parametrize("library", [("glibc", "2.17"), ("", "")])
def test_an_old_or_foreign_libc_is_refused_in_one_line(
    library: tuple[str, str],
) -> None:
    with pytest.raises(Unsupported, match=r"docker compose --env-file deploy/development\.env up"):
        refuse_unsupported(library)


def test_this_machine_is_supported() -> None:
    refuse_unsupported()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@db:5432/app?x=1", "postgresql://me:***@db:5432/app?x=1"),
        ("redis://:hush@cache/0", "redis://:***@cache/0"),
        ("smtp://127.0.0.1:25", "smtp://127.0.0.1:25"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


MIGRATE = """
import asyncio, sys
from app.postgres.migrations import MigrationFailed, migrate
try:
    asyncio.run(migrate(sys.argv[1]))
except MigrationFailed as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (sysconfig.get_path("scripts"), ""),
        ("", "dbmate is not installed: `uv sync` installs it\n"),
    ],
)
def test_dbmate_is_looked_for_on_the_path_as_well(
    tmp_path: Path, database_url: str, path: str, said: str
) -> None:
    """Beside the interpreter of an overlay (`uv run --with`) there is none."""
    venv.create(tmp_path)
    environ = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
    ran = subprocess.run(
        [tmp_path / "bin" / "python", "-c", MIGRATE, database_url],
        capture_output=True, check=True, text=True, env=environ,
    )  # fmt: skip
    assert ran.stdout == said
