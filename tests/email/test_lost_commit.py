"""Postgres is lost after an email has been sent, and before that has been recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.embedded.inbox import Inbox, smtp_protocol
from app.embedded.postgres import Postgres
from app.postgres.migrations import migrate
from app.resources import open_resources
from app.settings import Settings
from app.users.emails import SendWelcomeEmail
from tests.support.failover import own_primary
from tests.support.owner import application_role
from tests.support.people import person
from tests.support.sample_jobs import enqueue_job, job_row
from tests.support.working import eventually, running_worker, until


class FatalInbox(Inbox):
    """An inbox that kills Postgres when an email arrives."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        super().__init__(folder)
        self._postgres = postgres

    def store(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        assert self._postgres.kill()
        return super().store(sender, recipients, content)


async def test_email_is_sent_once_although_postgres_is_restarted_before_it_is_recorded(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    async with own_primary() as postgres:
        urls = postgres.settings()
        role = application_role(urls["DATABASE_URL"])
        await migrate(urls["MIGRATIONS_DATABASE_URL"], role=role)
        inbox = FatalInbox(tmp_path, postgres)
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: smtp_protocol(inbox), "127.0.0.1", 0) as smtp:
            own = {
                **environ,
                **urls,
                "SMTP_URL": f"smtp://127.0.0.1:{smtp.sockets[0].getsockname()[1]}",
            }
            opened = open_resources(Settings.from_env(own), process="activelog-tests")
            async with opened as resources, running_worker(resources):
                user = await person(resources.database, "kim")
                job_id = await enqueue_job(resources.database, SendWelcomeEmail(user_id=user.id))
                await until(lambda: bool(inbox.emails()))
                await postgres.wait()
                await postgres.start()

                async def outcome() -> object:
                    job = await job_row(resources.database, job_id)
                    return job["state"], job["attempt"]

                await eventually(outcome, ("done", 1))
        assert 1 == len(inbox.emails())
