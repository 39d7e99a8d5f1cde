"""The API as a separate process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import httpx
import pytest

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from tests.support.working import WAIT_LIMIT_S

MODULE_COMMAND = [sys.executable, "-m", "app.asgi"]
UVICORN_COMMAND = [sys.executable, "-m", "uvicorn", "app.asgi:app"]


async def start(command: Sequence[str], environ: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**environ, "PATH": os.environ["PATH"]},
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(
    environ: dict[str, str], command: Sequence[str] = MODULE_COMMAND
) -> AsyncIterator[tuple[httpx.AsyncClient, list[bytes]]]:
    """Run the API on a free port. The API's stderr is appended to the list when the block ends."""
    (port,) = free_ports(1)
    # `python -m app.asgi` reads PORT, and uvicorn reads UVICORN_PORT.
    ports = {"PORT": str(port), "UVICORN_PORT": str(port)}
    process = await start(command, {**environ, **ports})
    written: list[bytes] = []
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=WAIT_LIMIT_S
        ) as api:
            await _wait_until_live(api)
            yield api, written
    finally:
        process.send_signal(signal.SIGTERM)
        written.append((await process.communicate())[1])


async def _wait_until_live(api: httpx.AsyncClient) -> None:
    deadline = monotonic() + WAIT_LIMIT_S
    while True:
        try:
            await api.get("/health/live")
        except httpx.TransportError:
            assert monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            return


async def test_api_serves_until_sigterm_and_logs_each_request(environ: dict[str, str]) -> None:
    async with serving(environ) as (api, written):
        response = await api.get("/api/v1/users/me", headers={"X-Request-ID": "seen-1"})
        assert response.status_code == 401
        assert "server" not in response.headers
    lines = written[0].decode().splitlines()
    (line,) = [line for line in lines if "seen-1" in line]
    assert '"route": "/api/v1/users/me"' in line
    assert ['"api.started"' in lines[0], '"api.stopping"' in lines[-1]] == [True, True]
    assert all(line.startswith("{") for line in lines)


@pytest.mark.parametrize("command", [MODULE_COMMAND, UVICORN_COMMAND])
async def test_log_lines_contain_the_route_and_not_the_path(
    environ: dict[str, str], command: Sequence[str]
) -> None:
    async with serving(environ, command) as (api, written):
        response = await api.post("/api/v1/users/confirm/secret-token", json={"password": "x"})
        assert response.status_code == 410
    assert "/api/v1/users/confirm/{token}" in written[0].decode()
    assert "secret-token" not in written[0].decode()


@pytest.mark.parametrize("command", [MODULE_COMMAND, UVICORN_COMMAND])
@pytest.mark.parametrize(
    ("variable", "value"), [("DATABASE_URL", ""), ("PORT", "http"), ("SECRET_KEY", "short")]
)
async def test_invalid_setting_is_named_on_one_line_and_the_exit_code_is_2(
    environ: dict[str, str], command: Sequence[str], variable: str, value: str
) -> None:
    process = await start(command, {**environ, variable: value})
    _, stderr = await process.communicate()
    (line,) = stderr.decode().splitlines()
    assert line.startswith(f"activelog: {variable} ")
    assert process.returncode == 2


async def test_app_asgi_can_be_imported_without_environment_variables() -> None:
    process = await start([sys.executable, "-c", "import app.asgi"], {})
    assert (await process.communicate())[1] == b""
    assert process.returncode == 0
