"""Helpers for tests that send emails as a worker does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from app.email import EmailConfig, EmailSender, SendLimit
from app.email.smtp import SmtpPool
from app.jinja import Templates
from app.jobs import JobId, Run, statements
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.redis import Redis
from app.settings import Rate
from app.users.accounts import register
from app.users.user import UserId
from tests.support.working import WAIT_LIMIT_S

CONFIG = EmailConfig(
    Templates(), "ActiveLog <hello@activelog.example>", "https://activelog.example", "secret"
)
ADDRESS = "Ada@Example.com"
SECRET = "secret"


def since(began: float) -> timedelta:
    """Return the time since a reading of the monotonic clock."""
    return timedelta(seconds=monotonic() - began)


def send_limit(redis: Redis, *rates: Rate) -> SendLimit:
    """Return a limit that waits for Redis even on a busy machine."""
    return SendLimit(RateLimiter(redis, SECRET, timeout_s=WAIT_LIMIT_S), rates)


def sender_with(pool: SmtpPool, *rates: Rate, redis: Redis | None = None) -> EmailSender:
    """Return a sender that uses this pool. It calls Redis only if there are rates."""
    return EmailSender(CONFIG, pool, send_limit(redis or Redis(), *rates))


async def register_user(
    database: Database, address: str = ADDRESS, name: str = "Ada"
) -> tuple[UserId, JobId]:
    """Register a user. Return the ids of the user and of the job that sends the welcome email."""
    async with database.transaction() as tx:
        account = await register(tx, address, name, "no password")
    job_id = await database.fetchval("select id from jobs where user_id = $1", account.id)
    return account.id, JobId(job_id)


async def attempt(
    database: Database, job_id: JobId, run_type: type[Run] = Run, *, failures: int = 0
) -> Run:
    """Requeue and claim a job, and return the attempt as a worker would see it."""
    await database.execute(
        "update jobs set state = 'queued', run_at = now(), finished_at = null, failures = $2"
        " where id = $1",
        job_id,
        failures,
    )
    (claimed,) = await statements.claim(database, ids=[job_id], worker_id=uuid4(), token=uuid4())
    return run_type(database, claimed)


def log_entries(logs: Sequence[Mapping[str, Any]], event: str) -> list[Mapping[str, Any]]:
    """Return the log entries for this event. Other tasks in the process may log too."""
    return [entry for entry in logs if entry["event"] == event]
