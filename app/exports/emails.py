"""The emails that exports cause: who is written to, and what is said."""

from __future__ import annotations

from datetime import date
from typing import Self

from app.activity_types import ACTIVITY_TYPES
from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import day, truncate
from app.exports import statements
from app.exports.export import ExportId, Filters, Format
from app.jobs import Job, Run, handles
from app.postgres.database import Transaction
from app.users.user import UserId


class ExportReadyEmail(Job, frozen=True):
    """Email a user that their export is ready."""

    kind = "email:export_ready"

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)


class ExportFailedEmail(Job, frozen=True):
    """Email a user that their export failed, and what to do."""

    kind = "email:export_failed"

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)


SAMPLE_URL = "https://activelog.example/exports/019c3f1e-7d5a-7c3e-9b8f-2f1d6a4e5b7c/download"
LONGEST_REASON = 300

NAMES: dict[Format, str] = {"csv": "CSV", "pdf": "PDF"}
KILO = 1000


class ExportReady(Email, frozen=True):
    """Says where an export can be downloaded, and until when."""

    template = "export_ready"

    name: str
    format: str
    what: str
    size: str
    rows: str
    until: str
    download_url: str

    @classmethod
    def sample(cls) -> Self:
        return cls(
            name="Ada Lovelace",
            format="PDF",
            what=described(Filters(date(2026, 1, 1), date(2026, 11, 24), "run")),
            size=size(482_113),
            rows="184 activities",
            until="Wednesday, 2 December",
            download_url=SAMPLE_URL,
        )


class ExportFailed(Email, frozen=True):
    """Says that an export could not be made, and what can be done."""

    template = "export_failed"

    name: str
    format: str
    what: str
    reason: str
    exports_url: str

    @classmethod
    def sample(cls) -> Self:
        return cls(
            name="Ada Lovelace",
            format="PDF",
            what=described(Filters()),
            reason=(
                "A PDF can hold 50,000 activities, and this export has 61,204."
                " Choose CSV, or a shorter period."
            ),
            exports_url="https://activelog.example/exports",
        )


@handles(ExportReadyEmail)
async def export_ready(job: ExportReadyEmail, run: Run, sender: EmailSender) -> None:
    """Tell whoever asked for the export, once, unless it or its owner is gone.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        export = await statements.owned_export(tx, id=job.export_id)
    if export is None or export.expires_at is None:
        await run.finish_with_note("the export was deleted or is not finished")
        return

    rows, length, expires_at = export.row_count or 0, export.size_bytes or 0, export.expires_at

    async def write(_: Transaction) -> ExportReady:
        return ExportReady(
            name=one_line(export.name),
            format=NAMES[export.format],
            what=described(export.filters),
            size=size(length),
            rows="1 activity" if rows == 1 else f"{rows:,} activities",
            until=day(expires_at),
            download_url=f"{sender.config.app_url}/exports/{export.id}/download",
        )

    recipient = Recipient(export.user_id, export.name, export.email)
    await deliver(run, sender, recipient, ExportReady, write, unique_key=str(job.export_id))


@handles(ExportFailedEmail)
async def export_failed(job: ExportFailedEmail, run: Run, sender: EmailSender) -> None:
    """Tell whoever asked for the export, once, unless it or its owner is gone.

    Raises:
        whatever `deliver` raises.
    """
    async with run.transaction() as tx:
        export = await statements.owned_export(tx, id=job.export_id)
        known = export and await statements.exports(
            tx, user_id=export.user_id, id=job.export_id, before=None, only_open=False, limit=1
        )
    if not export or not known or known[0].status != "failed":  # it is made again, say
        await run.finish_with_note("the export was deleted or has not failed")
        return

    reason = known[0].error or ""

    async def write(_: Transaction) -> ExportFailed:
        return ExportFailed(
            name=one_line(export.name),
            format=NAMES[export.format],
            what=described(export.filters),
            reason=truncate(one_line(reason), LONGEST_REASON),
            exports_url=f"{sender.config.app_url}/exports",
        )

    recipient = Recipient(export.user_id, export.name, export.email)
    await deliver(run, sender, recipient, ExportFailed, write, unique_key=str(job.export_id))


def described(filters: Filters) -> str:
    """`all activities`, `runs from 1 January 2026 to 24 November 2026`."""
    what = ACTIVITY_TYPES[filters.type].plural if filters.type else "activities"
    if filters.first is None and filters.last is None:
        return f"all {what}"
    if filters.first is None or filters.last is None:
        edge = filters.first or filters.last or date.max
        return f"{what} {'since' if filters.first else 'until'} {_dated(edge)}"
    if filters.first == filters.last:
        return f"{what} on {_dated(filters.first)}"
    return f"{what} from {_dated(filters.first)} to {_dated(filters.last)}"


def size(length: int) -> str:
    """`482 kB`, `1.2 MB`."""
    if length < KILO * KILO:
        return f"{max(1, round(length / KILO))} kB"
    return f"{length / KILO / KILO:,.1f} MB"


def _dated(when: date) -> str:
    return f"{when.day} {when:%B} {when.year}"
