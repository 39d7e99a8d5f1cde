"""A real Prometheus for tests, with the rules in deploy/ and short intervals."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from app.embedded.ports import free_ports
from tests.deploy.conftest import RunningService
from tests.deploy.queries import DEPLOY, read
from tests.support.working import WAIT_LIMIT_S

PROGRAM = shutil.which("prometheus")
LINKS = {
    "RUNBOOKS": "docs/operations",
    "GRAFANA": "https://grafana.example",
    "OPS": "https://activelog.example/ops",
}


class Prometheus:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate the expression now.

        Raises:
            AssertionError: Prometheus does not accept the expression.
        """
        answer = await self._client.post("/api/v1/query", data={"query": expression})
        body = answer.json()
        assert body["status"] == "success", f"{expression}: {body.get('error')}"
        result = body["data"]["result"]
        return list(result) if body["data"]["resultType"] != "scalar" else [{"value": result}]

    async def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing."""
        return list((await self._client.get("/api/v1/alerts")).json()["data"]["alerts"])

    async def broken_rules(self) -> list[str]:
        """Return the rules that could not be evaluated."""
        groups = (await self._client.get("/api/v1/rules")).json()["data"]["groups"]
        return [
            rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"
        ]

    async def count_scrapes(self) -> int:
        """Count each service's successful scrapes in the last 5 minutes; return the lower count."""
        try:
            ready = await self._client.get("/-/ready")
        except httpx.TransportError:
            return 0
        if not ready.is_success:
            return 0
        scrapes = await self.query('min(sum_over_time(up{job=~"activelog-.+"}[5m]))')
        return int(scrapes[0]["value"][1]) if scrapes else 0


@asynccontextmanager
async def running_prometheus(service: RunningService, folder: Path) -> AsyncIterator[Prometheus]:
    """Run Prometheus with deploy/prometheus.yml, but with other targets and shorter intervals."""
    assert PROGRAM is not None
    config = read(DEPLOY / "prometheus.yml")
    config["global"] |= {"scrape_interval": "2s", "evaluation_interval": "1s"}
    del config["alerting"]
    config["rule_files"] = [str(DEPLOY / "alerts.yml")]
    addresses = {"activelog-api": service.api_metrics, "activelog-worker": service.worker}
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [urlsplit(addresses[job["job_name"]]).netloc]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=expand-external-labels",
        env={"PATH": os.environ["PATH"], **LINKS},
        stdout=PIPE,
        stderr=STDOUT,
    )
    output = asyncio.create_task(process.communicate())
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=WAIT_LIMIT_S
        ) as client:
            yield Prometheus(client)
    finally:
        if process.returncode is None:
            process.kill()
        await output
