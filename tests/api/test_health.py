"""Health checks, and requests during outages of Postgres and Redis."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx

from app.api.application import create_app
from app.resources import Resources, open_resources
from app.settings import Redis, Settings
from tests.support.working import eventually
from tests.users.people import new_user


@asynccontextmanager
async def api_with(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(partial(open_resources, settings, process="activelog-tests"))
    transport = httpx.ASGITransport(app=app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://t") as api:
        yield api


async def test_healthy_process_is_live_and_ready(api: httpx.AsyncClient) -> None:
    assert (await api.get("/health/live")).json() == {"status": "live"}
    await eventually(partial(readiness, api), {"status": "ready"})


async def readiness(api: httpx.AsyncClient) -> object:
    """Return the body of a readiness response. On a busy machine it may be a 503 at first."""
    return (await api.get("/health/ready")).json()


async def test_api_without_postgres_is_live_but_not_ready_and_requests_get_503(
    settings: Settings, closed_port: int
) -> None:
    url = f"postgresql://activelog@127.0.0.1:{closed_port}/none"
    unreachable = dataclasses.replace(settings.database, url=url)
    async with api_with(dataclasses.replace(settings, database=unreachable)) as api:
        assert (await api.get("/health/live")).status_code == 200
        ready = await api.get("/health/ready")
        assert ready.status_code == 503
        assert ready.headers["content-type"] == "application/problem+json"
        registration = await api.post("/api/v1/users", json=new_user())
        assert registration.status_code == 503
        assert int(registration.headers["retry-after"]) > 0
        token = {"Authorization": "Bearer any"}
        assert (await api.get("/api/v1/users/me", headers=token)).status_code == 503


async def test_api_without_redis_is_ready_and_accepts_sign_ups(
    resources: Resources, settings: Settings, closed_port: int
) -> None:
    url = f"redis://127.0.0.1:{closed_port}/0"
    async with api_with(dataclasses.replace(settings, redis=Redis(url))) as api:
        await eventually(partial(readiness, api), {"status": "ready"})
        assert (await api.post("/api/v1/users", json=new_user())).status_code == 201
    assert await resources.database.fetchval("select count(*) from jobs") == 1


async def test_requests_do_not_wait_for_a_hanging_redis(
    resources: Resources, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging_server:
        # A request that waited for Redis would wait for an hour.
        url = f"redis://127.0.0.1:{hanging_server.getsockname()[1]}/0?socket_timeout=3600"
        async with api_with(
            dataclasses.replace(settings, redis=dataclasses.replace(settings.redis, url=url))
        ) as api:
            await eventually(partial(readiness, api), {"status": "ready"})
            assert (await api.post("/api/v1/users", json=new_user())).status_code == 201
            hanging_server.close()
    assert await resources.database.fetchval("select count(*) from jobs") == 1
