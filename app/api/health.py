"""Health checks for probes."""

from __future__ import annotations

import asyncio

from litestar import get
from litestar.di import NamedDependency

from app.api.statements import ping
from app.errors import Unavailable
from app.postgres.database import Database

POSTGRES_TIMEOUT_S = 1.0


@get("/health/live", opt={"public": True}, tags=["operations"], operation_id="live")
async def live() -> dict[str, str]:
    """Check that this process's event loop is running. Nothing else is checked."""
    return {"status": "live"}


@get("/health/ready", opt={"public": True}, tags=["operations"], operation_id="ready")
async def ready(database: NamedDependency[Database]) -> dict[str, str]:
    """Check that this process can serve requests: 503 unless Postgres responds within a second.

    Redis, SMTP and the bucket are not checked: most requests work without them.
    """
    try:
        async with asyncio.timeout(POSTGRES_TIMEOUT_S):
            await ping(database)
    except TimeoutError:
        raise Unavailable("Postgres is not responding.", dependency="postgres") from None
    return {"status": "ready"}
