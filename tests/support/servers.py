"""The servers for a test run: started once by the main process, used by all test workers."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from app.embedded.servers import servers
from app.postgres.migrations import migrate
from tests.support.owner import application_role

SERVER_VARIABLES = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL", "SMTP_URL")
"""Variables removed from the environment, so that tests never touch the developer's servers."""


class RunServers:
    """Servers that run from `start` to `stop`. The event loop runs only during these two calls."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._folder = Path(tempfile.mkdtemp(prefix="activelog-tests-"))
        environ = {k: v for k, v in os.environ.items() if k not in SERVER_VARIABLES}
        self._servers = servers(self._folder / "servers", environ, durable=False)

    def start(self) -> Mapping[str, str]:
        """Start the servers, and migrate the database that each test worker copies."""
        variables = self._loop.run_until_complete(self._servers.__aenter__())
        role = application_role(variables["DATABASE_URL"])
        url = variables["MIGRATIONS_DATABASE_URL"]
        self._loop.run_until_complete(migrate(url, role=role))
        return variables

    def stop(self) -> None:
        self._loop.run_until_complete(self._servers.__aexit__(None, None, None))
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)
