"""The jobs that exports cause."""

from __future__ import annotations

from datetime import timedelta

from app.exports.export import ExportId
from app.jobs import Job
from app.users.user import UserId


class ExportReadyEmail(Job, frozen=True):
    """Tell a person that their export is ready."""

    kind = "email:export_ready"

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)


class ExportFailedEmail(Job, frozen=True):
    """Tell a person that their export failed, and what to do."""

    kind = "email:export_failed"

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)


class ExportGenerate(Job, frozen=True):
    """Makes the file and puts it into the bucket."""

    kind = "export:generate"
    queue = "low"
    timeout = timedelta(minutes=30)
    expires_in = timedelta(days=7)

    export_id: ExportId
    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.export_id)

    def if_given_up(self) -> ExportFailedEmail:
        return ExportFailedEmail(self.export_id, self.user_id)
