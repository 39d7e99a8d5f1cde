"""A real Alertmanager, started as in compose.yaml.

Requires Debian's package prometheus-alertmanager, which CI installs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from app.embedded.ports import free_ports
from tests.deploy.queries import DEPLOY
from tests.support.processes import Program
from tests.support.working import WAIT_LIMIT_S, eventually

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


class Alertmanager:
    def __init__(self, client: httpx.AsyncClient, program: Program, config: Path) -> None:
        self._client = client
        self.program = program
        self.config_file = config

    def config(self) -> dict[str, Any]:
        """Return the configuration that Alertmanager was started with."""
        loaded: dict[str, Any] = yaml.safe_load(self.config_file.read_text())
        return loaded

    async def fire(self, labels: dict[str, str], annotations: dict[str, str]) -> None:
        """Post an alert, as Prometheus does when it fires."""
        alert = {"labels": labels, "annotations": annotations}
        (await self._client.post("/api/v2/alerts", json=[alert])).raise_for_status()

    async def receivers(self) -> list[str]:
        answer = await self._client.get("/api/v2/receivers")
        return [receiver["name"] for receiver in answer.json()]

    async def is_ready(self) -> bool:
        try:
            return (await self._client.get("/-/ready")).is_success
        except httpx.TransportError:
            return False

    def check_config(self) -> subprocess.CompletedProcess[str]:
        """Check the configuration with amtool, and return the finished process."""
        return subprocess.run(
            ["amtool", "check-config", str(self.config_file)], capture_output=True, text=True
        )


@asynccontextmanager
async def running_alertmanager(
    folder: Path, variables: dict[str, str]
) -> AsyncIterator[Alertmanager]:
    """Run Alertmanager with the files in deploy/, but with a shorter group_wait."""
    assert PROGRAM is not None
    (folder / "alertmanager").symlink_to(PROGRAM)  # Debian gives the program a longer name
    shutil.copy(DEPLOY / "alertmanager.sh", folder)
    (folder / "etc").mkdir()
    text = (DEPLOY / "alertmanager.yml").read_text()
    (folder / "alertmanager.yml").write_text(text.replace("group_wait: 10s", "group_wait: 0s"))
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        "sh",
        str(folder / "alertmanager.sh"),
        f"--storage.path={folder / 'data'}",
        "--cluster.listen-address=",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "TMPDIR": str(folder / "etc"),
            **variables,
        },
        stdout=PIPE,
        stderr=STDOUT,
    )
    program = Program(process)
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=WAIT_LIMIT_S) as client:
            started = Alertmanager(client, program, folder / "etc" / "alertmanager.yml")
            await eventually(started.is_ready, True)
            yield started
    finally:
        if program.is_running:
            process.kill()
        await program.ended()
