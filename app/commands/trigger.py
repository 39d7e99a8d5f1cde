"""`python -m app trigger <job>`: run a job now and print the outcome.

A triggered job is enqueued and run like any other. There is a command for every schedule, for
exports, and for every kind of job about one user whose other fields are all in `FIELDS`.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import msgspec
from cyclopts import App, Parameter, Token, validators

from app import jobs
from app.activity_types import ActivityType
from app.commands.options import BY_CLI, InjectedResources
from app.commands.waiting import find_pause, wait_for_job
from app.errors import Conflict, Invalid, Unavailable
from app.exports import requests as exports
from app.exports.export import Filters, Format
from app.exports.jobs import GenerateExport
from app.jobs import Job, JobId, load_handlers
from app.jobs.admin.queues import list_workers
from app.jobs.job import KINDS
from app.jobs.schedules import SCHEDULES, Schedule
from app.jobs.schedules import trigger as trigger_schedule
from app.postgres.database import Transaction
from app.resources import Resources
from app.users.accounts import find_account

SATURDAY = 5

app = App(
    name="trigger",
    help="Run a job now, wait for it to finish, and print the outcome."
    " `trigger JOB --help` shows its options; every job accepts --no-wait.",
)


def _parse(text: str, date_format: str, expected: str) -> date:
    """Parse a date.

    Raises:
        ValueError: the text is not in exactly this format.
    """
    try:
        day = datetime.strptime(text, date_format).replace(tzinfo=UTC).date()
    except ValueError:
        day = None
    if day is None or day.strftime(date_format) != text:
        raise ValueError(f"{text!r} is not {expected}.")
    return day


def _parse_day(_: Any, tokens: list[Token]) -> date:
    return _parse(tokens[0].value, "%Y-%m-%d", "a day such as 2026-11-23")


def _parse_month(_: Any, tokens: list[Token]) -> date:
    return _parse(tokens[0].value, "%Y-%m", "a month such as 2026-10")


def _parse_saturday(type_: Any, tokens: list[Token]) -> date:
    day = _parse_day(type_, tokens)
    if day.weekday() != SATURDAY:
        end = day + timedelta(days=(SATURDAY - day.weekday()) % 7)
        raise ValueError(f"{day} is a {day:%A}; its week ends on Saturday, {end}.")
    return day


NoWait: TypeAlias = Annotated[
    bool,
    Parameter(
        negative=(),
        show_default=False,
        help="Print the job ID without waiting for the job to finish.",
    ),
]
User: TypeAlias = Annotated[str, Parameter(help="The user's ID or address.")]
PeriodDay: TypeAlias = Annotated[
    date | None,
    Parameter(
        name="--date",
        converter=_parse_day,
        help="Any day of the period, such as 2026-11-23. Default: the last complete period.",
    ),
]
DryRun: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Count what would be done, then stop.")
]
FIELDS = {
    "month": Annotated[
        date, Parameter(name="--month", converter=_parse_month, help="A month such as 2026-10.")
    ],
    "saturday": Annotated[
        date,
        Parameter(
            name="--week-ending",
            converter=_parse_saturday,
            help="The Saturday on which the week ends, such as 2026-11-21.",
        ),
    ],
    "export_id": Annotated[UUID, Parameter(name="--export-id", help="An export ID.")],
}
"""The options for the fields of single-user jobs. A job with any other field has no command."""
SCHEDULE_FIELDS = {
    "max_orphans": Annotated[
        int | None,
        Parameter(
            name="--max-orphans",
            validator=validators.Number(gte=1),
            help="Remove up to this many objects that no row refers to.",
        ),
    ],
}
"""The options for the fields that only some schedules' jobs have."""


async def run(
    resources: Resources, enqueue: Callable[[Transaction], Awaitable[JobId]], *, no_wait: bool
) -> int:
    """Enqueue a job, wait for it to finish and print the outcome.

    Returns:
        The exit code: 0 when the job is done (with `no_wait`: enqueued), otherwise 1.
    """
    async with resources.database.transaction() as tx:
        job_id = await enqueue(tx)
        alive = any(worker.alive for worker in await list_workers(tx))
    if no_wait:
        print(job_id)
        return 0
    if not alive:
        print(job_id)
        print(
            "activelog: enqueued, but no worker is running; start one to run the job",
            file=sys.stderr,
        )
        return 1
    try:
        return await wait_for_job(resources.database, job_id)
    except (Unavailable, asyncio.CancelledError):
        print(f"activelog: stopped waiting; job {job_id} was not cancelled", file=sys.stderr)
        raise


@app.command(
    name=GenerateExport.kind,
    help="Export a user's activities as a file (--user, --format, --from, --to, --type).",
)
async def export(
    *,
    user: User,
    format: Format,
    first: Annotated[
        date | None, Parameter(name="--from", converter=_parse_day, help="The first day.")
    ] = None,
    last: Annotated[
        date | None, Parameter(name="--to", converter=_parse_day, help="The last day.")
    ] = None,
    type: ActivityType | None = None,
    no_wait: NoWait = False,
    resources: InjectedResources,
) -> int:
    """Export a user's activities as if the user had requested the export.

    Args:
        format: The format of the file.
        type: Only activities of this type.
    """

    async def enqueue(tx: Transaction) -> JobId:
        user_id = await find_account(tx, user)
        return (await exports.request(tx, user_id, format, Filters(first, last, type))).job_id

    return await run(resources, enqueue, no_wait=no_wait)


def _add_schedule(schedule: Schedule) -> None:
    async def enqueue(
        tx: Transaction, day: date | None = None, dry_run: bool = False, **fields: Any
    ) -> JobId:
        run = await trigger_schedule(
            tx, schedule.name, by=BY_CLI, day=day, dry_run=dry_run, fields=fields
        )
        return run.job_id

    options = [_option("day", PeriodDay, default=None)]
    if schedule.supports_dry_run:
        options.append(_option("dry_run", DryRun, default=False))
    options += [
        _option(name, option, default=None)
        for name, option in SCHEDULE_FIELDS.items()
        if name in schedule.job_type.__struct_fields__
    ]
    _add(KINDS[schedule.name], options, enqueue)


def _add_user_job(job_type: type[Job], names: list[str]) -> None:
    async def enqueue(tx: Transaction, user: str, **fields: Any) -> JobId:
        user_id = await find_account(tx, user)
        try:
            job = msgspec.convert({**fields, "user_id": user_id}, job_type)
        except msgspec.ValidationError as error:
            raise Invalid(str(error)) from None
        job_id = await jobs.enqueue(tx, job)
        if job_id is None:
            pause = await find_pause(tx, queue=job_type.queue, kind=job_type.kind)
            paused = f", and {pause} is paused" if pause else ""
            raise Conflict(f"This job is already waiting or running{paused}: {job_type.kind}.")
        return job_id

    options = [_option("user", User), *(_option(name, FIELDS[name]) for name in names)]
    _add(job_type, options, enqueue)


def _add(
    job_type: type[Job],
    options: list[inspect.Parameter],
    enqueue: Callable[..., Awaitable[JobId]],
) -> None:
    """Add a job's command. `enqueue` gets the transaction, and the options as keyword arguments."""

    async def command(*, resources: Resources, no_wait: bool = False, **values: Any) -> int:
        return await run(resources, lambda tx: enqueue(tx, **values), no_wait=no_wait)

    parameters = [
        *options,
        _option("no_wait", NoWait, default=False),
        _option("resources", InjectedResources),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # for cyclopts
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    summary = (inspect.getdoc(job_type) or "").partition("\n")[0].rstrip(".")
    app.command(
        command, name=job_type.kind, help=f"{summary} ({', '.join(map(_option_name, options))})."
    )


def _option(name: str, annotation: object, default: Any = inspect.Parameter.empty) -> Any:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )


def _option_name(option: inspect.Parameter) -> str:
    (parameter,) = option.annotation.__metadata__
    return str((parameter.name or [f"--{option.name.replace('_', '-')}"])[0])


load_handlers()
for _schedule in SCHEDULES.values():
    _add_schedule(_schedule)
for _kind, _job_type in sorted(KINDS.items()):
    _fields = [name for name in _job_type.__struct_fields__ if name != "user_id"]
    has_command = "user_id" in _job_type.__struct_fields__ and set(_fields) <= set(FIELDS)
    if has_command and _job_type is not GenerateExport:
        _add_user_job(_job_type, _fields)
