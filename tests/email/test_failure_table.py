"""Mail server failures, and the resulting states of the email, its job and the address."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from app.email.smtp import AuthenticationFailed
from app.errors import Unavailable
from app.jobs.outcomes import Dead, Retry
from app.postgres.database import Database
from app.users.emails import SendWelcomeEmail, send_welcome_email
from tests.email.scripted import DROP, HANG, scripted_server, short_limits, smtp_pool_to
from tests.email.sending import attempt, register_user, sender_with
from tests.support.working import until


class Case(NamedTuple):
    replies: dict[str, str]
    raises: type[Exception]
    """What the handler raises: Retry counts as a failure, Unavailable snoozes the job until the
    outage ends, Dead ends the job."""
    ledger: str
    suppressed: bool = False
    sent_again: bool = True
    """Whether the next attempt sends the email, once the server accepts it."""
    options: dict[str, Any] = {}  # noqa: RUF012 # never changed


PASSWORD = {"password": "secret"}
STARTTLS = {"tls": "starttls"}

CASES = {
    "421 at the greeting": Case({"greeting": "421 busy"}, Unavailable, "sending"),
    "421 at RCPT": Case({"RCPT": "421 too many"}, Unavailable, "sending"),
    "421 after the content": Case({"content": "421 closing"}, Unavailable, "sending"),
    "450": Case({"RCPT": "450 4.2.1 busy"}, Retry, "sending"),
    "451": Case({"RCPT": "451 4.7.1 greylisted"}, Retry, "sending"),
    "451 after the content": Case({"content": "451 disk full"}, Retry, "sending"),
    "550": Case({"RCPT": "550 5.1.1 nobody"}, Dead, "refused", suppressed=True, sent_again=False),
    "550 for the content": Case({"content": "550 5.7.1 spam"}, Dead, "refused"),
    "552": Case({"RCPT": "552 5.2.2 full"}, Dead, "refused"),
    "552 after the content": Case({"content": "552 5.3.4 too big"}, Dead, "refused"),
    "535": Case({"AUTH": "535 5.7.8 no"}, AuthenticationFailed, "sending", options=PASSWORD),
    "454 on AUTH": Case({"AUTH": "454 4.7.0 later"}, Unavailable, "sending", options=PASSWORD),
    "dropped before DATA": Case({"RCPT": DROP}, Unavailable, "sending"),
    "dropped at DATA": Case({"DATA": DROP}, Unavailable, "sending"),
    "dropped after the content": Case({"content": DROP}, Retry, "sending"),
    "hangs at the greeting": Case({"greeting": HANG}, Unavailable, "sending"),
    "hangs before DATA": Case({"MAIL": HANG}, Unavailable, "sending"),
    "hangs after the content": Case({"content": HANG}, Retry, "sending"),
    "TLS refused": Case({"STARTTLS": "454 no TLS"}, Unavailable, "sending", options=STARTTLS),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_failed_attempt_is_recorded_and_the_next_attempt_finishes(
    case: Case, database: Database
) -> None:
    user_id, job_id = await register_user(database)
    options = case.options | short_limits(case.replies)
    async with scripted_server(case.replies) as server, smtp_pool_to(server, **options) as pool:
        with pytest.raises(case.raises) as caught:
            await send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
        assert case.raises is type(caught.value)
        assert case.ledger == await database.fetchval("select state from emails")
        assert case.suppressed == await database.fetchval(
            "select exists (select from suppressions)"
        )
        assert "ada" not in str(caught.value).lower()
        not_accepted = int("content" in case.replies)
        await until(lambda: len(server.contents) - len(server.accepted) == not_accepted)

    async with scripted_server() as healthy, smtp_pool_to(healthy) as pool:
        await send_welcome_email(
            SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
        )
    assert case.sent_again == bool(healthy.accepted)
    assert ("sent" if case.sent_again else "suppressed") == await database.fetchval(
        "select state from emails"
    )


async def test_rejected_recipient_does_not_affect_other_emails(
    database: Database,
) -> None:
    people = [await register_user(database, f"{n}@example.com") for n in range(8)]
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        server.replies_to["3@example.com"] = "550 5.1.1 nobody"
        sends = [
            send_welcome_email(
                SendWelcomeEmail(user_id), await attempt(database, job_id), sender_with(pool)
            )
            for user_id, job_id in people
        ]
        results = await asyncio.gather(*sends, return_exceptions=True)
    assert [Dead] == [type(result) for result in results if result is not None]
    assert 7 == len(server.accepted)
    assert ["3@example.com"] == [
        row["address"] for row in await database.fetch("select address from suppressions")
    ]
