"""The letters: one handler a kind, each calling the letter of its noun."""

from __future__ import annotations

from app.email import Stationery
from app.jobs import Run
from app.resources import Resources
from app.users import letters as users
from app.users.jobs import WelcomeEmail
from worker.handler import handles


@handles(WelcomeEmail)
async def welcome(job: WelcomeEmail, run: Run, resources: Resources) -> None:
    await users.welcome(run, resources.mailer, stationery(resources), job.user_id)


def stationery(resources: Resources) -> Stationery:
    settings = resources.settings
    return Stationery(resources.templates, settings.mail.sender, settings.http.app_url)
