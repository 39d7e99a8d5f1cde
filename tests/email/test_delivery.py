"""The delivery ledger: one email per unique key, unless the first may not have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from asyncpg import Record
from structlog.testing import capture_logs

from app import jobs
from app.email.smtp import AuthenticationFailed, SmtpPool
from app.embedded.inbox import Inbox
from app.jobs import Run
from app.jobs.outcomes import Dead, LeaseLost, Retry, Snooze
from app.postgres.database import Database, Transaction
from app.resources import Resources
from app.users.emails import SendWelcomeEmail, send_welcome_email
from tests.email.scripted import DROP, HANG, scripted_server, short_limits, smtp_pool_to
from tests.email.sending import ADDRESS, attempt, log_entries, register_user, sender_with
from tests.support.working import run_jobs, until


class Killed(BaseException):
    """Simulates the process being killed."""


class KilledBeforeCompletion(Run):
    """An attempt that is killed after sending the email and before recording it as sent."""

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        raise Killed
        yield  # type: ignore[unreachable] # makes this a generator


async def ledger(database: Database) -> Record:
    (row,) = await database.fetch("select * from emails")
    return row


async def state(database: Database) -> str:
    return str((await ledger(database))["state"])


async def expire_claim(database: Database) -> None:
    """Let the sending attempt's claim on the email expire."""
    await database.execute("update emails set sending_until = now()")


async def test_job_run_three_times_sends_one_email(database: Database) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        for _ in range(3):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
    assert len(server.accepted) == 1
    row = await ledger(database)
    assert ("sent", 1, job_id) == (row["state"], row["attempts"], row["job_id"])
    assert row["message_id"].encode() in server.accepted[0]
    job = await database.fetchrow("select state, note from jobs where id = $1", job_id)
    sent_on = f"{row['sent_at'].day} {row['sent_at']:%B %Y}"
    assert ("done", f"already sent on {sent_on}") == tuple(job or ())
    assert await database.fetchval("select count(*) from account_tokens") == 1


async def test_job_is_done_once_its_email_is_sent(database: Database) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        run = await attempt(database, job_id)
        await send_welcome_email(SendWelcomeEmail(user_id), run, sender_with(pool))
    assert run.finished
    assert await database.fetchval("select state from jobs where id = $1", job_id) == "done"


async def test_concurrent_jobs_for_the_same_email_send_one_email(database: Database) -> None:
    user_id, first_id = await register_user(database)
    await database.execute("update jobs set unique_key = 'another'")
    async with database.transaction() as tx:
        second_id = await jobs.enqueue(tx, SendWelcomeEmail(user_id=user_id))
    assert second_id is not None
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        results = await asyncio.gather(
            send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, first_id), sender_with(pool)
            ),
            send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, second_id), sender_with(pool)
            ),
            return_exceptions=True,
        )
    assert len(server.accepted) == 1
    assert {type(result) for result in results} <= {type(None), Snooze}


async def test_second_copy_after_a_crash_waits_and_has_the_same_message_id(
    database: Database,
) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(Killed):
            await send_welcome_email(
                SendWelcomeEmail(user_id),
                await attempt(database, job_id, KilledBeforeCompletion),
                sender_with(pool),
            )
        with pytest.raises(Snooze) as snoozed:
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
        left = await database.fetchval("select sending_until - clock_timestamp() from emails")
        assert left <= snoozed.value.delay <= pool.send_timeout
        await expire_claim(database)
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
    message_id = (await ledger(database))["message_id"].encode()
    assert [message_id in email for email in server.accepted] == [True, True]
    assert await state(database) == "sent"


async def test_email_is_sent_once_after_a_crash_before_sending(database: Database) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server({"RCPT": HANG}) as server, smtp_pool_to(server) as pool:
        run = await attempt(database, job_id)
        killed = asyncio.create_task(
            send_welcome_email(SendWelcomeEmail(user_id), run, sender_with(pool))
        )
        await until(lambda: any(command.startswith("RCPT") for command in server.commands))
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        assert killed.cancelled()
        await expire_claim(database)
        server.replies.clear()
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
    assert len(server.contents) == 1


async def test_attempt_that_lost_its_job_sends_no_email(database: Database) -> None:
    user_id, job_id = await register_user(database)

    class LosesJobBeforeSending(SmtpPool):
        async def send(self, *args: object, **kwargs: object) -> None:
            await attempt(database, job_id)
            await super().send(*args, **kwargs)  # type: ignore[arg-type] # passed through

    async with (
        scripted_server() as server,
        smtp_pool_to(server, pool_type=LosesJobBeforeSending) as pool,
    ):
        with pytest.raises(LeaseLost):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
    assert "DATA" not in server.commands


@pytest.mark.parametrize(("failures", "minutes"), [(0, 1), (1, 5), (2, 30), (3, 30)])
async def test_temporarily_refused_email_is_retried_after_1_then_5_then_30_minutes(
    database: Database, failures: int, minutes: int
) -> None:
    user_id, job_id = await register_user(database)
    async with scripted_server({"RCPT": "451 greylisted"}) as server, smtp_pool_to(server) as pool:
        run = await attempt(database, job_id, failures=failures)
        with pytest.raises(Retry) as retry:
            await send_welcome_email(SendWelcomeEmail(user_id), run, sender_with(pool))
        assert timedelta(minutes=minutes) == retry.value.delay
        assert (await ledger(database))["error"] == "SMTP: RCPT: 451 greylisted"
        server.replies.clear()
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
    row = await ledger(database)
    assert (row["state"], row["attempts"], row["error"]) == ("sent", 2, None)


async def test_rejected_login_is_logged_and_the_email_waits(database: Database) -> None:
    user_id, job_id = await register_user(database)
    async with (
        scripted_server({"AUTH": "535 5.7.8 wrong"}) as server,
        smtp_pool_to(server, password="secret") as pool,
    ):
        with capture_logs() as logs, pytest.raises(AuthenticationFailed):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
    (entry,) = log_entries(logs, "smtp.auth_failed")
    assert entry["log_level"] == "critical"
    assert await state(database) == "sending"


async def test_address_without_a_mailbox_is_suppressed(database: Database) -> None:
    user_id, job_id = await register_user(database)
    refusal = {"RCPT": "550 5.1.1 <Ada@Example.com>: no mailbox Ada here"}
    async with scripted_server(refusal) as server, smtp_pool_to(server) as pool:
        with pytest.raises(Dead) as dead:
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
        reply = "SMTP: RCPT: 550 5.1.1 (address) no mailbox (address) here"
        row = await ledger(database)
        assert ("refused", reply, reply) == (row["state"], row["error"], dead.value.reason)
        suppressed = await database.fetch("select address, reason from suppressions")
        assert [("ada@example.com", reply)] == [tuple(row.values()) for row in suppressed]

        server.replies.clear()
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
        assert await state(database) == "suppressed"
        assert server.contents == []

        await database.execute("delete from suppressions")
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
    assert len(server.accepted) == 1
    assert await state(database) == "sent"


@pytest.mark.parametrize("reply", [DROP, HANG])
async def test_email_is_sent_at_most_twice_if_the_server_does_not_reply_to_its_content(
    database: Database, reply: str
) -> None:
    user_id, job_id = await register_user(database)
    replies = {"content": reply}
    async with (
        scripted_server(replies) as server,
        smtp_pool_to(server, **short_limits(replies)) as pool,
    ):
        with pytest.raises(Retry):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
        with pytest.raises(Dead):
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
        await until(lambda: len(server.contents) == 2)
    assert (await ledger(database))["doubts"] == 2


async def test_deleted_user_gets_no_email(database: Database) -> None:
    user_id, job_id = await register_user(database)
    await database.execute("update users set deleted_at = now()")
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
    assert server.connections == 0


async def test_no_address_is_logged_or_stored_in_the_ledger(database: Database) -> None:
    """The mailbox name is not hexadecimal, so no UUID contains it by chance."""
    user_id, job_id = await register_user(database, "zoltrix@example.com", "Zoltrix")
    async with (
        scripted_server({"RCPT": "450 Zoltrix <zoltrix@example.com>"}) as server,
        smtp_pool_to(server) as pool,
    ):
        with capture_logs() as logs:
            with pytest.raises(Retry):
                await send_welcome_email(
                    SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
                )
            server.replies.clear()
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
    stored = str(dict(await ledger(database))) + str(logs)
    assert "email.sent" in stored
    assert "zoltrix" not in stored.lower()


async def test_new_user_confirms_their_address_with_the_link_in_the_email(
    resources: Resources, api: httpx.AsyncClient, inbox: Inbox
) -> None:
    person = {"email": ADDRESS, "name": "Ada 👩‍🚀", "password": "a long enough one"}
    assert (await api.post("/api/v1/users", json=person)).status_code == 201
    await run_jobs(resources)
    (email,) = inbox.emails()
    assert email.to == (ADDRESS,)
    assert email.subject == "Welcome to ActiveLog: confirm your email address"
    assert "Welcome, Ada 👩‍🚀." in str(email.text)
    (link,) = [line for line in str(email.text).splitlines() if "/confirm/" in line]
    token = link.removeprefix("https://activelog.example/confirm/")
    password = {"password": person["password"]}
    assert (await api.post(f"/api/v1/users/confirm/{token}", json=password)).is_success
    assert await resources.database.fetchval("select confirmed_at is not null from users")
