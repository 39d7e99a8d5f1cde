"""The API process: `python -m app.asgi`, or an ASGI server with `app.asgi:app`.

Importing this module does not read the environment. Accessing its attribute `app` does, and binds
the port for metrics.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from socket import socket
from typing import Any

import uvicorn
from litestar import Litestar

from app import logs, metrics
from app.api.application import create_app
from app.api.bodies import BODY_LIMITS, BodyLimits
from app.connections import CONNECTION_LIMITS, ConnectionLimits, Connections
from app.errors import TooOld
from app.exports.csv import DOWNLOAD_LIMITS, DownloadLimits
from app.listening import listen, respond, serve
from app.pages import failure_page, pages_router
from app.resources import Resources, open_resources, refuse_old_servers
from app.settings import Settings
from app.settings.environment import (
    INVALID_SETTINGS_EXIT_CODE,
    SettingsError,
    environment_with_dotenv,
    report_error,
)

FOLDER = Path(__file__).parents[1]
"""The folder that contains `.env`."""


@cache
def _settings() -> Settings:
    """Read the settings. If any are invalid, print a line for each and exit."""
    try:
        return Settings.from_env(environment_with_dotenv(os.environ, FOLDER))
    except SettingsError as error:
        report_error(error)
        sys.exit(INVALID_SETTINGS_EXIT_CODE)


@cache
def _application(download_limits: DownloadLimits, body_limits: BodyLimits) -> Litestar:
    settings = _settings()
    logs.configure(settings.logs)
    listener = _metrics_listener(settings)

    @asynccontextmanager
    async def open_all() -> AsyncIterator[Resources]:
        async with AsyncExitStack() as stack:
            if listener is not None:
                await stack.enter_async_context(serve(_answer_metrics, listener))
            yield await stack.enter_async_context(open_resources(settings, process="activelog-api"))

    return create_app(
        open_all,
        pages=[pages_router],
        not_found_page=failure_page,
        download_limits=download_limits,
        body_limits=body_limits,
    )


def _metrics_listener(settings: Settings) -> socket | None:
    """Bind the port for metrics, unless it is 0. If it cannot be used, print why and exit."""
    if not settings.http.metrics_port:
        return None
    try:
        return listen(settings.http.host, settings.http.metrics_port, "API_METRICS_PORT")
    except SettingsError as error:
        report_error(error)
        sys.exit(INVALID_SETTINGS_EXIT_CODE)


async def _answer_metrics(scope: Any, _receive: Any, send: Any) -> None:
    if scope["path"] == "/metrics":
        await respond(send, 200, metrics.CONTENT_TYPE, metrics.render())
    else:
        await respond(send, 404, "text/plain", b"not found\n")


def __getattr__(name: str) -> object:
    if name == "app":
        return _application(DOWNLOAD_LIMITS, BODY_LIMITS)
    raise AttributeError(name)


async def _refuse_old_servers(settings: Settings) -> None:
    async with open_resources(settings, process="activelog-api") as resources:
        await refuse_old_servers(resources)


def main(
    *,
    download_limits: DownloadLimits = DOWNLOAD_LIMITS,
    body_limits: BodyLimits = BODY_LIMITS,
    connection_limits: ConnectionLimits = CONNECTION_LIMITS,
) -> None:
    """Serve until SIGTERM or SIGINT. Requests in progress then have `SHUTDOWN_GRACE` to finish.

    Args:
        download_limits: how slowly a client may read a download before the download is cut off.
        body_limits: how long clients may pause in bodies, and how large bodies may be in all.
        connection_limits: how long the server waits for requests, and for responses to be read.
    """
    settings, application = _settings(), _application(download_limits, body_limits)
    try:
        listener = listen(settings.http.host, settings.http.port, "PORT")
        asyncio.run(_refuse_old_servers(settings))
    except (SettingsError, TooOld) as error:
        report_error(error)
        sys.exit(INVALID_SETTINGS_EXIT_CODE if isinstance(error, SettingsError) else 1)
    config = uvicorn.Config(
        application,
        http=Connections(connection_limits),  # type: ignore[arg-type] # called like a class
        ws="none",
        log_config=None,  # uvicorn's log lines go through app/logs.py
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.worker.shutdown_grace.total_seconds()),
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after it has stopped
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
