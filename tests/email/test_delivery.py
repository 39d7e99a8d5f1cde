"""The ledger: one email a unique key, whatever servers say and whatever is killed."""

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
from app.users.emails import WelcomeEmail, welcome
from tests.email.scripted import DROP, HANG, scripted_server, short_limits, smtp_pool_to
from tests.email.sending import ADDRESS, attempt, logged, registered, sender_over
from tests.support.working import run_jobs, until


class Killed(BaseException):
    """The process ends here."""


class KilledBeforeTheEnd(Run):
    """An attempt whose process dies after the email was sent, before that is recorded."""

    @asynccontextmanager
    async def completion(self, note: str | None = None) -> AsyncIterator[Transaction]:
        raise Killed
        yield  # type: ignore[unreachable] # what makes this a generator


async def ledger(database: Database) -> Record:
    (row,) = await database.fetch("select * from emails")
    return row


async def state(database: Database) -> str:
    return str((await ledger(database))["state"])


async def end_lease(database: Database) -> None:
    """End the lease of the attempt at sending, as time would."""
    await database.execute("update emails set sending_until = now()")


async def test_one_job_run_three_times_sends_one_letter(database: Database) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        for _ in range(3):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    assert len(server.accepted) == 1
    row = await ledger(database)
    assert ("sent", 1, job_id) == (row["state"], row["attempts"], row["job_id"])
    assert row["message_id"].encode() in server.accepted[0]
    job = await database.fetchrow("select state, note from jobs where id = $1", job_id)
    sent_on = f"{row['sent_at'].day} {row['sent_at']:%B %Y}"
    assert ("done", f"already sent on {sent_on}") == tuple(job or ())
    assert await database.fetchval("select count(*) from account_tokens") == 1


async def test_the_letter_and_the_job_are_finished_together(database: Database) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        run = await attempt(database, job_id)
        await welcome(WelcomeEmail(user_id), run, sender_over(pool))
    assert run.finished
    assert await database.fetchval("select state from jobs where id = $1", job_id) == "done"


async def test_two_jobs_for_one_occasion_at_once_send_one_letter(database: Database) -> None:
    user_id, first_id = await registered(database)
    await database.execute("update jobs set unique_key = 'another'")
    async with database.transaction() as tx:
        second_id = await jobs.enqueue(tx, WelcomeEmail(user_id=user_id))
    assert second_id is not None
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        results = await asyncio.gather(
            welcome(WelcomeEmail(user_id), await attempt(database, first_id), sender_over(pool)),
            welcome(WelcomeEmail(user_id), await attempt(database, second_id), sender_over(pool)),
            return_exceptions=True,
        )
    assert len(server.accepted) == 1
    assert {type(result) for result in results} <= {type(None), Snooze}


async def test_killed_after_sending_the_next_waits_and_its_copy_bears_the_same_id(
    database: Database,
) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(Killed):
            await welcome(
                WelcomeEmail(user_id),
                await attempt(database, job_id, KilledBeforeTheEnd),
                sender_over(pool),
            )
        with pytest.raises(Snooze) as snoozed:
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
        left = await database.fetchval("select sending_until - clock_timestamp() from emails")
        assert left <= snoozed.value.delay <= pool.send_timeout
        await end_lease(database)
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    message_id = (await ledger(database))["message_id"].encode()
    assert [message_id in email for email in server.accepted] == [True, True]
    assert await state(database) == "sent"


async def test_killed_before_sending_the_letter_goes_out_once(database: Database) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server({"RCPT": HANG}) as server, smtp_pool_to(server) as pool:
        run = await attempt(database, job_id)
        killed = asyncio.create_task(welcome(WelcomeEmail(user_id), run, sender_over(pool)))
        await until(lambda: any(command.startswith("RCPT") for command in server.commands))
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        assert killed.cancelled()
        await end_lease(database)
        server.replies.clear()
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    assert len(server.contents) == 1


async def test_an_attempt_that_lost_its_job_withholds_the_letter(database: Database) -> None:
    user_id, job_id = await registered(database)

    class Late(SmtpPool):
        async def send(self, *args: object, **kwargs: object) -> None:
            await attempt(database, job_id)
            await super().send(*args, **kwargs)  # type: ignore[arg-type] # passed through

    async with scripted_server() as server, smtp_pool_to(server, pool_type=Late) as pool:
        with pytest.raises(LeaseLost):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    assert "DATA" not in server.commands


@pytest.mark.parametrize(("failures", "minutes"), [(0, 1), (1, 5), (2, 30), (3, 30)])
async def test_a_letter_refused_for_now_is_tried_again(
    database: Database, failures: int, minutes: int
) -> None:
    user_id, job_id = await registered(database)
    async with scripted_server({"RCPT": "451 greylisted"}) as server, smtp_pool_to(server) as pool:
        run = await attempt(database, job_id, failures=failures)
        with pytest.raises(Retry) as retry:
            await welcome(WelcomeEmail(user_id), run, sender_over(pool))
        assert timedelta(minutes=minutes) == retry.value.after
        assert (await ledger(database))["error"] == "SMTP: RCPT: 451 greylisted"
        server.replies.clear()
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    row = await ledger(database)
    assert (row["state"], row["attempts"], row["error"]) == ("sent", 2, None)


async def test_refused_credentials_burn_no_letter_and_raise_an_alarm(database: Database) -> None:
    user_id, job_id = await registered(database)
    async with (
        scripted_server({"AUTH": "535 5.7.8 wrong"}) as server,
        smtp_pool_to(server, password="secret") as pool,
    ):
        with capture_logs() as logs, pytest.raises(AuthenticationFailed):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    (alarm,) = logged(logs, "smtp.turns_us_away")
    assert alarm["log_level"] == "critical"
    assert await state(database) == "sending"


async def test_an_address_without_a_mailbox_is_never_written_to_again(database: Database) -> None:
    user_id, job_id = await registered(database)
    refusal = {"RCPT": "550 5.1.1 <Ada@Example.com>: no mailbox Ada here"}
    async with scripted_server(refusal) as server, smtp_pool_to(server) as pool:
        with pytest.raises(Dead) as dead:
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
        said = "SMTP: RCPT: 550 5.1.1 (address) no mailbox (address) here"
        row = await ledger(database)
        assert ("refused", said, said) == (row["state"], row["error"], dead.value.reason)
        suppressed = await database.fetch("select address, reason from suppressions")
        assert [("ada@example.com", said)] == [tuple(one.values()) for one in suppressed]

        server.replies.clear()
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
        assert await state(database) == "suppressed"
        assert server.contents == []

        await database.execute("delete from suppressions")
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    assert len(server.accepted) == 1
    assert await state(database) == "sent"


@pytest.mark.parametrize("answer", [DROP, HANG])
async def test_silence_after_the_letter_risks_one_more_copy_and_no_third(
    database: Database, answer: str
) -> None:
    user_id, job_id = await registered(database)
    says = {"content": answer}
    async with scripted_server(says) as server, smtp_pool_to(server, **short_limits(says)) as pool:
        with pytest.raises(Retry):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
        with pytest.raises(Dead):
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
        await until(lambda: len(server.contents) == 2)
    assert (await ledger(database))["doubts"] == 2


async def test_someone_who_has_left_is_not_written_to(database: Database) -> None:
    user_id, job_id = await registered(database)
    await database.execute("update users set deleted_at = now()")
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    assert server.connections == 0


async def test_nothing_that_is_logged_or_kept_holds_an_address(database: Database) -> None:
    """The mailbox has emails that are no hexadecimal digits: a UUID cannot hold it by chance."""
    user_id, job_id = await registered(database, "zoltrix@example.com", "Zoltrix")
    async with (
        scripted_server({"RCPT": "450 Zoltrix <zoltrix@example.com>"}) as server,
        smtp_pool_to(server) as pool,
    ):
        with capture_logs() as logs:
            with pytest.raises(Retry):
                await welcome(
                    WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool)
                )
            server.replies.clear()
            await welcome(WelcomeEmail(user_id), await attempt(database, job_id), sender_over(pool))
    kept = str(dict(await ledger(database))) + str(logs)
    assert "email.sent" in kept
    assert "zoltrix" not in kept.lower()


async def test_a_new_person_is_welcomed_and_confirms_by_the_link(
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
    assert (await api.post(f"/api/v1/users/confirm/{token}")).is_success
    assert await resources.database.fetchval("select confirmed_at is not null from users")
