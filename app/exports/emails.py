"""The emails about exports, with their jobs and handlers."""

from __future__ import annotations

from datetime import date
from typing import Self

from app.activity_types import ACTIVITY_TYPES
from app.email import Email, EmailSender, Recipient, deliver, one_line
from app.email.formatting import day, truncate
from app.exports import statements
from app.exports.export import ExportId, Filters
from app.exports.formats import FORMATS
from app.jobs import Job, Run, handles
from app.postgres.database import Transaction
from app.users.user import UserId


class SendExportReadyEmail(Job, frozen=True):
    """Tell a user by email that their export is ready."""

    kind = "email:export_ready"

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)


class SendExportFailedEmail(Job, frozen=True):
    """Tell a user by email that their export failed, and what they can do."""

    kind = "email:export_failed"

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)


SAMPLE_URL = "https://activelog.example/exports/019c3f1e-7d5a-7c3e-9b8f-2f1d6a4e5b7c/download"
MAX_REASON_CHARACTERS = 300

KILOBYTE = 1000


class ExportReady(Email, frozen=True):
    """The email that says where an export can be downloaded, and until when."""

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
            what=describe(Filters(date(2026, 1, 1), date(2026, 11, 24), "run")),
            size=size(482_113),
            rows="184 activities",
            until="Wednesday, 2 December",
            download_url=SAMPLE_URL,
        )


class ExportFailed(Email, frozen=True):
    """The email that says why an export failed, and what the user can do."""

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
            what=describe(Filters()),
            reason=(
                "A PDF can hold 50,000 activities, but this export has 61,204."
                " Choose CSV, or a shorter period."
            ),
            exports_url="https://activelog.example/exports",
        )


@handles(SendExportReadyEmail)
async def send_export_ready_email(job: SendExportReadyEmail, run: Run, sender: EmailSender) -> None:
    """Email the owner of a completed export, once, unless the export or its owner is deleted.

    Raises:
        The same exceptions as `deliver`.
    """
    async with run.transaction() as tx:
        export = await statements.export_with_owner(tx, id=job.export_id)
    if export is None or export.expires_at is None:
        await run.finish_with_note(
            "the export or its owner was deleted, or the export is not finished"
        )
        return

    rows, size_bytes, expires_at = export.row_count or 0, export.size_bytes or 0, export.expires_at

    async def write(_: Transaction) -> ExportReady:
        return ExportReady(
            name=one_line(export.name),
            format=FORMATS[export.format].label,
            what=describe(export.filters),
            size=size(size_bytes),
            rows="1 activity" if rows == 1 else f"{rows:,} activities",
            until=day(expires_at),
            download_url=f"{sender.config.app_url}/exports/{export.id}/download",
        )

    recipient = Recipient(export.user_id, export.name, export.email)
    await deliver(run, sender, recipient, ExportReady, write, unique_key=str(job.export_id))


@handles(SendExportFailedEmail)
async def send_export_failed_email(
    job: SendExportFailedEmail, run: Run, sender: EmailSender
) -> None:
    """Email the owner of a failed export, once, unless the export or its owner is deleted.

    Raises:
        The same exceptions as `deliver`.
    """
    async with run.transaction() as tx:
        export = await statements.export_with_owner(tx, id=job.export_id)
        found = export and await statements.exports(
            tx, user_id=export.user_id, id=job.export_id, before=None, only_open=False, limit=1
        )
    if not export or not found or found[0].status != "failed":  # the job may have been retried
        await run.finish_with_note(
            "the export or its owner was deleted, or the export has not failed"
        )
        return

    reason = found[0].error or ""

    async def write(_: Transaction) -> ExportFailed:
        return ExportFailed(
            name=one_line(export.name),
            format=FORMATS[export.format].label,
            what=describe(export.filters),
            reason=truncate(one_line(reason), MAX_REASON_CHARACTERS),
            exports_url=f"{sender.config.app_url}/exports",
        )

    recipient = Recipient(export.user_id, export.name, export.email)
    await deliver(run, sender, recipient, ExportFailed, write, unique_key=str(job.export_id))


def describe(filters: Filters) -> str:
    """Describe which activities an export contains.

    For example `all activities` or `runs from 1 January 2026 to 24 November 2026`.
    """
    noun = ACTIVITY_TYPES[filters.type].plural if filters.type else "activities"
    if filters.first is None and filters.last is None:
        return f"all {noun}"
    if filters.first is None or filters.last is None:
        edge = filters.first or filters.last or date.max
        return f"{noun} {'since' if filters.first else 'until'} {_full_date(edge)}"
    if filters.first == filters.last:
        return f"{noun} on {_full_date(filters.first)}"
    return f"{noun} from {_full_date(filters.first)} to {_full_date(filters.last)}"


def size(size_bytes: int) -> str:
    """Format a number of bytes: `482 kB`, `1.2 MB`."""
    if size_bytes < KILOBYTE * KILOBYTE:
        return f"{max(1, round(size_bytes / KILOBYTE))} kB"
    return f"{size_bytes / KILOBYTE / KILOBYTE:,.1f} MB"


def _full_date(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
