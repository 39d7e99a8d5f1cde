"""`python -m app queues|kinds|workers`: look at them, pause and resume."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from app.commands.parsing import BY, Answer, Arguments, Operation, add, group
from app.exports import jobs as exports
from app.friends import jobs as friends
from app.housekeeping import jobs as housekeeping
from app.jobs.operating import queues
from app.jobs.operating.workers import list_workers
from app.reports import jobs as reports
from app.resources import Resources
from app.stats import jobs as stats
from app.stats import scheduled
from app.users import jobs as users

Act = Callable[..., Awaitable[None]]

KINDS_OF = (exports, friends, housekeeping, reports, scheduled, stats, users)
"""Imported for their kinds, which can be paused before there is a job of them."""


def declare(commands: Any) -> None:
    """Add `queues`, `kinds` and `workers`."""
    _declare_pausable(commands, "queues", _queues, queues.pause_queue, queues.resume_queue)
    _declare_pausable(commands, "kinds", _kinds, queues.pause_kind, queues.resume_kind)
    add(commands, "workers", _workers, "list the workers and what they run")


def _declare_pausable(commands: Any, name: str, list_: Operation, pause: Act, resume: Act) -> None:
    parts = group(commands.add_parser(name, help=f"look at {name}, pause and resume them"))
    add(parts, "list", list_, f"list the {name}").set_defaults(act=None)
    for verb, act in (("pause", pause), ("resume", resume)):
        acting = add(parts, verb, list_, f"{verb} one of the {name}")
        acting.add_argument("name", metavar="NAME")
        acting.set_defaults(act=act)


async def _queues(resources: Resources, arguments: Arguments) -> Answer:
    async with resources.database.transaction() as tx:
        if arguments.act:
            await arguments.act(tx, arguments.name, by=BY)
        return await queues.list_queues(tx, resources.settings.worker.queue_weights)


async def _kinds(resources: Resources, arguments: Arguments) -> Answer:
    async with resources.database.transaction() as tx:
        if arguments.act:
            await arguments.act(tx, arguments.name, by=BY)
        return await queues.list_kinds(tx)


async def _workers(resources: Resources, _: Arguments) -> Answer:
    return await list_workers(resources.database)
