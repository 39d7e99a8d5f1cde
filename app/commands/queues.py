"""`python -m app queues|kinds|workers`: list them, and pause and resume queues and kinds."""

from __future__ import annotations

from cyclopts import App

from app.commands.options import BY_CLI, InjectedResources, Json, render
from app.jobs import Queue
from app.jobs.admin import queues as admin
from app.postgres.database import Transaction

queues = App(name="queues", help="List, pause and resume queues.")
kinds = App(name="kinds", help="List, pause and resume kinds of jobs.")


@queues.command(name="list")
async def list_queues(*, json: Json = False, resources: InjectedResources) -> str:
    """List the queues."""
    async with resources.database.transaction() as tx:
        return await _render_queues(tx, resources, json=json)


@queues.command(name="pause")
async def pause_queue(name: Queue, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Pause a queue: within a second, no more jobs start from it."""
    async with resources.database.transaction() as tx:
        await admin.pause_queue(tx, name, by=BY_CLI)
        return await _render_queues(tx, resources, json=json)


@queues.command(name="resume")
async def resume_queue(name: Queue, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Resume a queue."""
    async with resources.database.transaction() as tx:
        await admin.resume_queue(tx, name, by=BY_CLI)
        return await _render_queues(tx, resources, json=json)


@kinds.command(name="list")
async def list_kinds(*, json: Json = False, resources: InjectedResources) -> str:
    """List the kinds of jobs."""
    return render(await admin.list_kinds(resources.database), json=json)


@kinds.command(name="pause")
async def pause_kind(name: str, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Pause a kind: within a second, no more of its jobs start."""
    async with resources.database.transaction() as tx:
        await admin.pause_kind(tx, name, by=BY_CLI)
        return render(await admin.list_kinds(tx), json=json)


@kinds.command(name="resume")
async def resume_kind(name: str, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Resume a kind."""
    async with resources.database.transaction() as tx:
        await admin.resume_kind(tx, name, by=BY_CLI)
        return render(await admin.list_kinds(tx), json=json)


async def workers(*, json: Json = False, resources: InjectedResources) -> str:
    """List the workers and their running jobs."""
    return render(await admin.list_workers(resources.database), json=json)


async def _render_queues(tx: Transaction, resources: InjectedResources, *, json: bool) -> str:
    weights = resources.settings.worker.queue_weights
    return render(await admin.list_queues(tx, weights), json=json)
