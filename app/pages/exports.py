"""Listing, requesting, following, downloading and deleting exports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct, field

from app.activity_types import ACTIVITY_TYPES, ActivityType
from app.errors import Conflict, Gone, Invalid, NotFound
from app.exports import requests
from app.exports.export import Export, ExportId, Filters, Format, Status
from app.exports.formats import FORMATS
from app.pages.formatting import PRESETS, DateRange, Period, period_choices
from app.pages.forms import FORM_FAILURES, submitted_form
from app.pages.page import is_fragment_request, render_page, see_other
from app.postgres.database import Database
from app.s3 import Bucket
from app.users.accounts import profile_of
from app.users.user import Me

PAGE_SIZE = 20
DEFAULT_FORMAT = next(iter(FORMATS))
FORMAT_CHOICES = [(format.name, format.label) for format in FORMATS.values()]
TYPE_CHOICES = [
    ("", "All"),
    *((type, words.plural.capitalize()) for type, words in ACTIVITY_TYPES.items()),
]

Day = Annotated[date, Meta(description="Enter a date such as 2026-11-25.")]


class ExportForm(Struct, frozen=True):
    """The submitted form. `first` and `last` apply only if the period is `days`."""

    format: Format = DEFAULT_FORMAT
    period: Period = "all"
    first: Day | None = field(default=None, name="from")
    last: Day | None = field(default=None, name="to")
    type: ActivityType | None = None

    def filters(self, today: date) -> Filters:
        """Convert the period and the type to filters.

        Raises:
            Invalid: the period is `days`, but no day is given.
        """
        days = DateRange(self.first, self.last)
        if self.period in PRESETS:
            days = PRESETS[self.period](today)
        elif days == DateRange():
            raise Invalid("Choose at least one date.", field="from")
        return Filters(*days, self.type)


@get("/exports")
async def list_exports(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    before: Annotated[UUID | None, QueryParameter()] = None,
) -> Response[str]:
    return await _render_list(request, me, database, now, before=before)


@post("/exports")
async def request_export(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
) -> Response[Any]:
    form = await submitted_form(request)
    try:
        submitted = form.read(ExportForm)
        filters = submitted.filters(now.date())
        async with database.transaction() as tx:
            requested = await requests.request(tx, me.id, submitted.format, filters)
    except FORM_FAILURES as error:
        return await _render_list(
            request, me, database, now, form=form.with_error(error), error=error
        )
    return see_other(
        request,
        f"/exports#export-{requested.id}",
        "Export requested. You can follow its progress here.",
    )


@get("/exports/{export_id:uuid}")
async def show_export(
    export_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    was: Annotated[Status | None, QueryParameter()] = None,
) -> Response[str]:
    """Show an export. htmx gets only its list item, or nothing if the export was deleted.

    Args:
        was: the status that the page already shows. A change is announced to screen readers.
    """
    try:
        export = await requests.find(database, me.id, ExportId(export_id))
    except NotFound:
        if is_fragment_request(request):
            return Response("", media_type=MediaType.HTML)
        raise
    name = "exports/item_fragment" if is_fragment_request(request) else "exports/detail"
    return render_page(
        request, name, export=export, was=was, poll_interval_s=poll_interval_s(export, now)
    )


@get("/exports/{export_id:uuid}/download")
async def download_export(
    export_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
    now: NamedDependency[datetime],
) -> Response[Any]:
    """Redirect to the file, or show the export if there is no file."""
    try:
        url = await requests.download(database, bucket, me.id, ExportId(export_id))
    except (Conflict, Gone) as error:
        export = await requests.find(database, me.id, ExportId(export_id))
        return render_page(
            request,
            "exports/detail",
            error=error,
            export=export,
            poll_interval_s=poll_interval_s(export, now),
        )
    return Redirect(url, status_code=302)


@post("/exports/{export_id:uuid}/delete")
async def delete_export(
    export_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    """Delete an export. If it is unfinished, this cancels it."""
    async with database.transaction() as tx:
        key = await requests.delete(tx, me.id, ExportId(export_id))
    await bucket.discard(key)
    return see_other(request, "/exports", "Export deleted.")


def poll_interval_s(export: Export, now: datetime) -> int | None:
    """Return the seconds between polls of an export; None if the export is finished."""
    if export.status not in ("pending", "processing"):
        return None
    age = now - export.requested_at
    for limit, seconds in ((10, 1), (60, 2), (300, 5)):
        if age < timedelta(seconds=limit):
            return seconds
    return 15


async def _render_list(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    now: datetime,
    *,
    before: UUID | None = None,
    **context: Any,
) -> Response[str]:
    rows = await requests.history(
        database, me.id, ExportId(before) if before else None, PAGE_SIZE + 1
    )
    profile = await profile_of(database, me.id)
    next_url = f"/exports?before={rows[PAGE_SIZE - 1].id}" if len(rows) > PAGE_SIZE else None
    return render_page(
        request,
        "exports/list",
        exports=[(export, poll_interval_s(export, now)) for export in rows[:PAGE_SIZE]],
        first_url="/exports" if before else None,
        next_url=next_url,
        profile=profile,
        periods=period_choices(now.date()),
        format_choices=FORMAT_CHOICES,
        default_format=DEFAULT_FORMAT,
        type_choices=TYPE_CHOICES,
        **context,
    )


routes = [list_exports, request_export, show_export, download_export, delete_export]
