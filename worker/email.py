"""The letters: one handler a kind, each calling the letter of its noun."""

from __future__ import annotations

from app.exports import emails as exports
from app.exports.jobs import ExportFailedEmail, ExportReadyEmail
from app.friends import emails as friends
from app.friends.jobs import FriendActivityEmail, FriendRequestEmail
from app.jobs import Run
from app.reports import emails as reports
from app.reports.jobs import ReportReadyEmail
from app.resources import Resources
from app.stats import weekly_summary as stats
from app.stats.jobs import WeeklySummaryEmail
from app.users import emails as users
from app.users.jobs import ConfirmationEmail, PasswordResetEmail, WelcomeEmail
from worker.attempt import handles


@handles(WelcomeEmail)
async def welcome(job: WelcomeEmail, run: Run, resources: Resources) -> None:
    await users.welcome(run, resources.post, job.user_id)


@handles(ConfirmationEmail)
async def confirmation(job: ConfirmationEmail, run: Run, resources: Resources) -> None:
    await users.confirmation(run, resources.post, job.user_id)


@handles(PasswordResetEmail)
async def password_reset(job: PasswordResetEmail, run: Run, resources: Resources) -> None:
    await users.password_reset(run, resources.post, job.request_id)


@handles(FriendRequestEmail)
async def friend_request(job: FriendRequestEmail, run: Run, resources: Resources) -> None:
    await friends.friend_request(run, resources.post, job.request_id)


@handles(FriendActivityEmail)
async def friend_activity(job: FriendActivityEmail, run: Run, resources: Resources) -> None:
    await friends.friend_activity(run, resources.post, job.user_id)


@handles(WeeklySummaryEmail)
async def weekly_summary(job: WeeklySummaryEmail, run: Run, resources: Resources) -> None:
    await stats.weekly_summary(run, resources.post, job.user_id, job.saturday)


@handles(ReportReadyEmail)
async def report_ready(job: ReportReadyEmail, run: Run, resources: Resources) -> None:
    await reports.report_ready(run, resources.post, job.user_id, job.month)


@handles(ExportReadyEmail)
async def export_ready(job: ExportReadyEmail, run: Run, resources: Resources) -> None:
    await exports.export_ready(run, resources.post, job.export_id)


@handles(ExportFailedEmail)
async def export_failed(job: ExportFailedEmail, run: Run, resources: Resources) -> None:
    await exports.export_failed(run, resources.post, job.export_id)
