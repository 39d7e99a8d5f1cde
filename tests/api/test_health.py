"""What machines ask, and what happens to requests while the things behind the API are away."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

import httpx

from app.api.application import create_app
from app.resources import Resources, open_resources
from app.settings import Settings
from tests.users.people import new_user

NOWHERE = "127.0.0.1:9"


@asynccontextmanager
async def api_with(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(partial(open_resources, settings, process="activelog-tests"))
    transport = httpx.ASGITransport(app=app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://t") as it:
        yield it


async def test_a_process_that_can_serve_is_live_and_ready(api: httpx.AsyncClient) -> None:
    assert (await api.get("/health/live")).json() == {"status": "live"}
    assert (await api.get("/health/ready")).json() == {"status": "ready"}


async def test_without_postgres_the_api_starts_is_live_and_not_ready(settings: Settings) -> None:
    away = dataclasses.replace(settings.database, url=f"postgresql://activelog@{NOWHERE}/none")
    async with api_with(dataclasses.replace(settings, database=away)) as api:
        assert (await api.get("/health/live")).status_code == 200
        ready = await api.get("/health/ready")
        assert ready.status_code == 503
        assert ready.headers["content-type"] == "application/problem+json"
        registration = await api.post("/api/v1/users", json=new_user())
        assert registration.status_code == 503
        assert int(registration.headers["retry-after"]) > 0
        token = {"Authorization": "Bearer any"}
        assert (await api.get("/api/v1/users/me", headers=token)).status_code == 503


async def test_without_redis_the_api_is_ready_and_signing_up_is_quick(
    resources: Resources, settings: Settings
) -> None:
    async with api_with(dataclasses.replace(settings, redis_url=f"redis://{NOWHERE}/0")) as api:
        assert (await api.get("/health/ready")).status_code == 200
        begun = monotonic()
        assert (await api.post("/api/v1/users", json=new_user())).status_code == 201
        assert monotonic() - begun < 1  # 0.3 s on a machine that does nothing else
    assert await resources.database.fetchval("select count(*) from jobs") == 1


async def test_metrics_are_text_for_prometheus(api: httpx.AsyncClient) -> None:
    answer = await api.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE process_cpu_seconds_total counter" in answer.text
