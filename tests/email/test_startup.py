"""A worker with broken templates does not start."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree

import pytest

from app.embedded.home import ROOT
from app.jinja import FOLDER
from tests.support.working import WAIT_LIMIT_S


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("{% if name %}", "line 1"),
        ("{{ entries[0].nme }}", "no attribute 'nme'"),
        (None, "is missing"),
    ],
)
async def test_worker_reports_the_broken_template_and_exits(
    broken: str | None, problem: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    for part in ("app", "worker", "sql"):
        (tmp_path / part).symlink_to(ROOT / part)
    copytree(FOLDER, tmp_path / "templates")
    body = tmp_path / "templates" / "email" / "friend_activity" / "body.txt"
    body.unlink() if broken is None else body.write_text(broken)
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "arq", "worker.WorkerSettings"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=WAIT_LIMIT_S,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    error = result.stderr.splitlines()[-1]
    assert error.startswith("activelog: templates/email/friend_activity/body.txt: ")
    assert problem in error
