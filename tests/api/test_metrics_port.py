"""The API's metrics have a port of their own, and the public port has none in any spelling."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence

import psutil
import pytest

from app.embedded.ports import free_ports
from tests.support.http import anonymous_client
from tests.support.processes import API, program
from tests.support.raw_http import status_of

UVICORN = ("-m", "uvicorn", "app.asgi:app")
SPELLINGS = [
    "/metrics",
    "/metrics/",
    "//metrics",
    "/%6detrics",
    "/metrics%2f",
    "/%2fmetrics",
    "/./metrics",
    "/health/../metrics",
    "/METRICS",
    "/metrics?format=text",
]
SECOND_SPELLINGS = [
    "//health/live",
    "/health//live",
    "/health%2flive",
    "/health%2Flive",
    "/health%5clive",
    "/health\\live",
    "/./health/live",
    "/health/../health/live",
    "/%68ealth/live",
    "/health/live/.",
    "/health/liv%65",
]


@pytest.fixture(scope="module")
async def urls(environ: dict[str, str]) -> AsyncIterator[tuple[str, str]]:
    """Run the API, and return the URLs of its public port and its port for metrics."""
    port, metrics_port = map(str, free_ports(2))
    variables = {**environ, "PORT": port, "API_METRICS_PORT": metrics_port}
    async with program(*API, environ=variables) as api:
        await api.wait_for_output("api.started")
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}"


async def test_metrics_port_serves_metrics_in_the_prometheus_text_format(
    urls: tuple[str, str],
) -> None:
    async with anonymous_client() as client:
        response = await client.get(f"{urls[1]}/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4"
    assert "# TYPE process_cpu_seconds_total counter" in response.text


async def test_metrics_port_serves_nothing_else(urls: tuple[str, str]) -> None:
    assert {await status_of(urls[1], path) for path in ("/", "/health/live", "/api/v1")} == {404}


@pytest.mark.parametrize("target", SPELLINGS)
async def test_public_port_has_no_metrics_in_any_spelling(
    urls: tuple[str, str], target: str
) -> None:
    assert await status_of(urls[0], target) == 404


@pytest.mark.parametrize("target", SECOND_SPELLINGS)
async def test_second_spelling_of_a_path_is_a_404(urls: tuple[str, str], target: str) -> None:
    assert await status_of(urls[0], "/health/live") == 200
    assert await status_of(urls[0], target) == 404


async def test_encoded_characters_that_need_encoding_are_part_of_a_canonical_path(
    urls: tuple[str, str],
) -> None:
    assert await status_of(urls[0], "/api/v1/admin/kinds/email%3Awelcome/pause") == 405


@pytest.mark.parametrize("command", [API, UVICORN])
async def test_api_with_a_taken_metrics_port_prints_one_line_and_exits_with_2(
    environ: dict[str, str], command: Sequence[str]
) -> None:
    public = str(*free_ports(1))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ports = {"PORT": public, "UVICORN_PORT": public, "API_METRICS_PORT": port}
        async with program(*command, environ={**environ, **ports}) as api:
            assert await api.ended() == 2
    (line,) = api.output.splitlines()
    assert line.startswith(f"activelog: API_METRICS_PORT is port {port}, which is in use: stop")


async def test_metrics_port_0_opens_no_port(environ: dict[str, str]) -> None:
    port = free_ports(1)[0]
    variables = {**environ, "PORT": str(port), "API_METRICS_PORT": "0"}
    async with program(*API, environ=variables) as api:
        await api.wait_for_output("api.started")
        connections = psutil.Process(api.process.pid).net_connections("tcp4")
    listening = [found.laddr.port for found in connections if found.status == psutil.CONN_LISTEN]
    assert listening == [port]
