"""`python -m app jobs`: list, show and cancel jobs, and retry or discard dead letters."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias
from uuid import UUID

from cyclopts import App, Parameter, Token

from app.commands.options import BY_CLI, InjectedResources, Json, Limit, render
from app.errors import Invalid
from app.jobs import JobId, Queue
from app.jobs.admin import dead_letters, jobs
from app.jobs.admin.rows import State
from app.users.accounts import find_user


def _parse_id(_: Any, tokens: list[Token]) -> JobId:
    text = tokens[0].value
    try:
        return JobId(UUID(text))
    except ValueError:
        raise ValueError(f"{text!r} is not a job ID.") from None


Id: TypeAlias = Annotated[JobId, Parameter(converter=_parse_id, help="A job ID.")]

app = App(name="jobs", help="List, show and cancel jobs, and retry or discard dead letters.")


@app.command(name="list")
async def list_(
    *,
    state: State | None = None,
    kind: str | None = None,
    queue: Queue | None = None,
    user: str | None = None,
    limit: Limit = 50,
    json: Json = False,
    resources: InjectedResources,
) -> str:
    """List jobs, newest first.

    Args:
        state: Only jobs in this state.
        kind: Only jobs of this kind, such as email:welcome.
        queue: Only jobs in this queue.
        user: Only jobs about this user (ID or address).
    """
    database = resources.database
    user_id = await find_user(database, user) if user else None
    filters = jobs.JobFilter(state, kind, queue, user_id)
    return render(await jobs.list_jobs(database, filters, None, limit), json=json)


@app.command
async def show(id: Id, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Show a job with its attempts and errors."""
    return render(await jobs.find_job(resources.database, id), json=json)


@app.command
async def retry(id: Id, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Retry a dead letter."""
    await dead_letters.retry_job(resources.database, id, by=BY_CLI)
    return render(await jobs.find_job(resources.database, id), json=json)


@app.command
async def cancel(id: Id, /, *, json: Json = False, resources: InjectedResources) -> str:
    """Cancel a job, even if it is running."""
    async with resources.database.transaction() as tx:
        await jobs.cancel_job(tx, id, by=BY_CLI)
        return render(await jobs.find_job(tx, id), json=json)


@app.command
async def dead(
    *,
    retry: str | None = None,
    retry_all: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    discard: str | None = None,
    kind: str | None = None,
    limit: Limit = 50,
    json: Json = False,
    resources: InjectedResources,
) -> str:
    """List the dead letters by kind and error, or retry or discard them.

    Args:
        retry: Retry the group with this fingerprint.
        retry_all: Retry all dead letters.
        discard: Discard the group with this fingerprint.
        kind: With --retry-all, retry only dead letters of this kind.
    """
    database = resources.database
    if bool(retry) + retry_all + bool(discard) > 1:
        raise Invalid("Use only one of --retry, --retry-all and --discard.")
    if kind and not retry_all:
        raise Invalid("--kind requires --retry-all.")
    if retry_all:
        return render(await dead_letters.retry_all(database, kind, by=BY_CLI), json=json)
    if retry:
        return render(await dead_letters.retry_group(database, retry, by=BY_CLI), json=json)
    if discard:
        return render(await dead_letters.discard_group(database, discard, by=BY_CLI), json=json)
    return render(
        await dead_letters.list_groups(database, dead_letters.DeadLetterCursor(), limit), json=json
    )
