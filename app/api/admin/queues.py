"""The routes under `/admin/queues` and `/admin/kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from app.api.paging import Page
from app.jobs.admin import queues
from app.jobs.admin.rows import KindState, QueueState
from app.postgres.database import Database
from app.users.user import Me
from app.web.connection import resources_of


def _weights(request: Request[Any, Any, Any]) -> Mapping[str, int]:
    return resources_of(request).settings.worker.queue_weights


DEPENDENCIES = {"weights": Provide(_weights, sync_to_thread=False)}


@get("/queues", operation_id="listQueues")
async def list_queues(
    database: NamedDependency[Database], weights: NamedDependency[Mapping[str, int]]
) -> Page[QueueState]:
    """List the queues with their job counts and whether they are paused."""
    return Page(await queues.list_queues(database, weights), None)


@post("/queues/{name:str}/pause", status_code=200, operation_id="pauseQueue")
async def pause_queue(
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    weights: NamedDependency[Mapping[str, int]],
) -> QueueState:
    """Pause a queue. Within a second, workers stop claiming its jobs. Running jobs finish."""
    async with database.transaction() as tx:
        await queues.pause_queue(tx, name, by=str(me.id))
        return await queues.find_queue(tx, name, weights)


@post("/queues/{name:str}/resume", status_code=200, operation_id="resumeQueue")
async def resume_queue(
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    weights: NamedDependency[Mapping[str, int]],
) -> QueueState:
    """Resume a queue."""
    async with database.transaction() as tx:
        await queues.resume_queue(tx, name, by=str(me.id))
        return await queues.find_queue(tx, name, weights)


@get("/kinds", operation_id="listKinds")
async def list_kinds(database: NamedDependency[Database]) -> Page[KindState]:
    """List the kinds with their job counts and whether they are paused."""
    return Page(await queues.list_kinds(database), None)


@post("/kinds/{name:str}/pause", status_code=200, operation_id="pauseKind")
async def pause_kind(
    name: FromPath[str], me: NamedDependency[Me], database: NamedDependency[Database]
) -> KindState:
    """Pause a kind. Within a second, workers stop starting its jobs, which are kept.

    Running jobs finish.
    """
    async with database.transaction() as tx:
        await queues.pause_kind(tx, name, by=str(me.id))
        return await queues.find_kind(tx, name)


@post("/kinds/{name:str}/resume", status_code=200, operation_id="resumeKind")
async def resume_kind(
    name: FromPath[str], me: NamedDependency[Me], database: NamedDependency[Database]
) -> KindState:
    """Resume a kind. Its blocked jobs are woken and keep their place."""
    async with database.transaction() as tx:
        await queues.resume_kind(tx, name, by=str(me.id))
        return await queues.find_kind(tx, name)


routes = [list_queues, pause_queue, resume_queue, list_kinds, pause_kind, resume_kind]
