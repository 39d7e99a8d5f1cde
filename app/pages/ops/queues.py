"""Queues and kinds: `/ops/queues`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from app.jobs.admin import queues
from app.pages.page import render_page, see_other
from app.postgres.database import Database
from app.users.user import Me
from app.web.connection import resources_of

QUEUES_PATH = "/ops/queues"


@get("/queues")
async def list_queues(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Response[str]:
    weights = resources_of(request).settings.worker.queue_weights
    async with database.transaction() as tx:
        return render_page(
            request,
            "ops/queues",
            queues=await queues.list_queues(tx, weights),
            kinds=await queues.list_kinds(tx),
            blocked=await queues.list_blocked_jobs(tx),
        )


@post("/queues/{name:str}/pause")
async def pause_queue(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await queues.pause_queue(tx, name, by=str(me.id))
    return see_other(request, QUEUES_PATH, f"Queue {name} paused. Running jobs will finish.")


@post("/queues/{name:str}/resume")
async def resume_queue(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await queues.resume_queue(tx, name, by=str(me.id))
    return see_other(request, QUEUES_PATH, f"Queue {name} resumed.")


@post("/kinds/{name:str}/pause")
async def pause_kind(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await queues.pause_kind(tx, name, by=str(me.id))
    return see_other(request, f"{QUEUES_PATH}#kinds", f"{name} paused. Running jobs will finish.")


@post("/kinds/{name:str}/resume")
async def resume_kind(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
) -> Redirect:
    async with database.transaction() as tx:
        await queues.resume_kind(tx, name, by=str(me.id))
    message = f"{name} resumed. Its jobs will start again within seconds."
    return see_other(request, f"{QUEUES_PATH}#kinds", message)


routes = [list_queues, pause_queue, resume_queue, pause_kind, resume_kind]
