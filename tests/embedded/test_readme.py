"""The README's examples, run in a shell while some default ports of `just up` are taken."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app.embedded.home import ROOT
from tests.embedded.running import Up

TAKEN = (8000, 9101, 9100, 8333)


def examples() -> str:
    """Return the code blocks of "See it work" as one script that uses this environment's tools."""
    section = (
        (ROOT / "README.md").read_text().partition("## See it work\n")[2].partition("\n## ")[0]
    )
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    return "\n".join(lines).replace("uv run just", "just")


def test_uv_run_installs_the_embedded_group_but_not_pytest() -> None:
    """Without options, `uv run` installs the default groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert ["embedded"] == project["tool"]["uv"]["default-groups"]
    packages = " ".join(project["dependency-groups"]["embedded"])
    assert "pytest" not in packages


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy this checkout, to leave the developer's own `just up` alone."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("app", "worker", "sql", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "justfile", copy)
    return copy


@pytest.fixture
def taken_ports() -> Iterator[None]:
    """Take these ports, unless another process has already taken them."""
    with ExitStack() as sockets:
        for port in TAKEN:
            with suppress(OSError):
                sockets.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def environment(checkout: Path) -> dict[str, str]:
    """Return an environment in which `up` stops quickly, and curl fails if it gets an error."""
    home = checkout.parent / "home"
    home.mkdir(exist_ok=True)
    (home / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "SHUTDOWN_GRACE": "1"}


async def shell(script: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=checkout,
        env=environment(checkout),
        capture_output=True,
        text=True,
    )


@pytest.mark.usefixtures("taken_ports")
async def test_every_example_works_while_default_ports_are_taken(checkout: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *("just", "up"), cwd=checkout, env=environment(checkout), stdout=PIPE, stderr=STDOUT
    )
    up = Up(process)
    try:
        await up.read_until("grace@example.org")
        pasted = await shell(examples(), checkout)
    finally:
        await shell("just down", checkout)
        code = await up.end()

    assert pasted.returncode == 0, pasted.stdout + pasted.stderr
    assert code == 0
    for port in TAKEN:
        assert re.search(rf"port {port} is taken", up.text), up.text
    assert (checkout / "activities.pdf").read_bytes().startswith(b"%PDF-")
    for expected in (
        '"email":"kim@example.com"',
        '"items":[{"id"',
        "Date,Type,Duration (min)",
        '"status":"completed"',
        "emails:weekly done",
        "report:generate done",
    ):
        assert expected in pasted.stdout, pasted.stdout
    daily = re.search(r"stats:daily done for .*: users (\d+)", pasted.stdout)
    assert daily, pasted.stdout
    assert int(daily[1]) > 0, "the day has no activities"
