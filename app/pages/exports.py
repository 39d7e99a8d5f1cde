"""Exports: ask for one, watch it, take it, delete it."""

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
from app.pages.formatting import PRESETS, Days, Period, choices
from app.pages.forms import REFUSALS, sent_form
from app.pages.page import is_fragment_request, render_page, see_other
from app.postgres.database import Database
from app.s3 import Bucket
from app.users.accounts import profile_of
from app.users.user import Me

A_PAGE = 20
DEFAULT_FORMAT = next(iter(FORMATS))
FORMAT_CHOICES = [(format.name, format.label) for format in FORMATS.values()]

Day = Annotated[date, Meta(description="Enter a date such as 2026-11-25.")]


class Wanted(Struct, frozen=True):
    """What a person asks for. The days count when the period says so."""

    format: Format = DEFAULT_FORMAT
    period: Period = "all"
    first: Day | None = field(default=None, name="from")
    last: Day | None = field(default=None, name="to")
    type: ActivityType | None = None

    def filters(self, today: date) -> Filters:
        """
        Raises:
            Invalid: the days are meant to count, and there are none.
        """
        days = Days(self.first, self.last)
        if self.period in PRESETS:
            days = PRESETS[self.period](today)
        elif days == Days():
            raise Invalid("Choose at least one date.", field="from")
        return Filters(*days, self.type)


@get("/exports")
async def exports(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    before: Annotated[UUID | None, QueryParameter()] = None,
) -> Response[str]:
    return await _listed(request, me, database, now, before=before)


@post("/exports")
async def ask(
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
) -> Response[Any]:
    form = await sent_form(request)
    try:
        wanted = form.read(Wanted)
        filters = wanted.filters(now.date())
        async with database.transaction() as tx:
            asked = await requests.request(tx, me.id, wanted.format, filters)
    except REFUSALS as error:
        return await _listed(request, me, database, now, form=form.refused(error), error=error)
    return see_other(
        request,
        f"/exports#export-{asked.id}",
        "Export requested. You can follow its progress here.",
    )


@get("/exports/{export_id:uuid}")
async def export(
    export_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    now: NamedDependency[datetime],
    was: Annotated[Status | None, QueryParameter()] = None,
) -> Response[str]:
    """One export. As a part of a page it is a line of the list, or nothing once it is deleted.

    Args:
        was: the status that the page shows; a change of it is said aloud.
    """
    try:
        found = await requests.status(database, me.id, ExportId(export_id))
    except NotFound:
        if is_fragment_request(request):
            return Response("", media_type=MediaType.HTML)
        raise
    name = "exports/_line" if is_fragment_request(request) else "exports/one"
    return render_page(request, name, export=found, was=was, every=patience(found, now))


@get("/exports/{export_id:uuid}/download")
async def download(
    export_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
    now: NamedDependency[datetime],
) -> Response[Any]:
    """To the file; or what has become of the export, where there is none."""
    try:
        address = await requests.download(database, bucket, me.id, ExportId(export_id))
    except (Conflict, Gone) as error:
        found = await requests.status(database, me.id, ExportId(export_id))
        return render_page(
            request, "exports/one", error=error, export=found, every=patience(found, now)
        )
    return Redirect(address, status_code=302)


@post("/exports/{export_id:uuid}/delete")
async def delete(
    export_id: FromPath[UUID],
    request: Request[Me, Any, Any],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    """Delete an export, or cancel it while it is not finished."""
    async with database.transaction() as tx:
        key = await requests.delete(tx, me.id, ExportId(export_id))
    await bucket.discard(key)
    return see_other(request, "/exports", "Export deleted.")


def patience(export: Export, now: datetime) -> int | None:
    """Seconds until a page asks again how far an export is; None: nothing will change."""
    if export.status not in ("pending", "processing"):
        return None
    age = now - export.requested_at
    for limit, seconds in ((10, 1), (60, 2), (300, 5)):
        if age < timedelta(seconds=limit):
            return seconds
    return 15


async def _listed(
    request: Request[Me, Any, Any],
    me: Me,
    database: Database,
    now: datetime,
    *,
    before: UUID | None = None,
    **context: Any,
) -> Response[str]:
    found = await requests.history(
        database, me.id, ExportId(before) if before else None, A_PAGE + 1
    )
    profile = await profile_of(database, me.id)
    following = f"/exports?before={found[A_PAGE - 1].id}" if len(found) > A_PAGE else None
    return render_page(
        request,
        "exports/list",
        formats=FORMATS,
        format_choices=FORMAT_CHOICES,
        default_format=DEFAULT_FORMAT,
        lines=[(export, patience(export, now)) for export in found[:A_PAGE]],
        first="/exports" if before else None,
        following=following,
        profile=profile,
        periods=choices(now.date()),
        type_choices=[
            ("", "All"),
            *((type, words.plural.capitalize()) for type, words in ACTIVITY_TYPES.items()),
        ],
        **context,
    )


routes = [exports, ask, export, download, delete]
