"""Delivery: one email a unique key, whatever is retried, killed or run twice.

The ledger (`emails`) is consulted before every send and committed on both sides of it. An email
goes out twice only if the process or the connection dies between the end of DATA and the commit of
`sent`; the copies then bear one Message-ID.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import TypeVar

import structlog

from app import metrics
from app.email import statements
from app.email.compose import EmailConfig, compose, message_id
from app.email.email import Email, Recipient
from app.email.send_limit import SendLimit
from app.email.smtp import (
    Ambiguous,
    AuthenticationFailed,
    Refused,
    SmtpPool,
    TemporarilyRefused,
)
from app.email.statements import Attempt
from app.errors import Unavailable
from app.jobs import JobId, Run
from app.jobs.outcomes import Dead, Retry, Snooze
from app.postgres.database import Transaction


@dataclass(frozen=True, slots=True)
class EmailSender:
    """Handed to whatever writes emails."""

    config: EmailConfig
    smtp_pool: SmtpPool
    send_limit: SendLimit


L = TypeVar("L", bound=Email)

RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""After the first, the second and every further refusal for now."""
MOST_DOUBTS = 2
"""An email that may have been taken twice is not sent again, unless an operator says so."""

log = structlog.get_logger(__name__)


async def deliver(
    run: Run,
    sender: EmailSender,
    recipient: Recipient,
    email: type[L],
    write: Callable[[Transaction], Awaitable[L]],
    *,
    unique_key: str,
    then: Callable[[Transaction], Awaitable[object]] | None = None,
) -> None:
    """Send an email unless it was sent before, and finish the job with it.

    `write` makes the email, in the transaction that claims it, and only if it is to be sent; what
    `then` does is committed with `sent`. Nothing is sent to a suppressed address, and an address
    that does not exist becomes one.

    Raises:
        Snooze: a limit is reached, or another attempt may be sending it at this moment.
        Retry: refused for now, or taken in doubt.
        Unavailable: no server takes emails from us now.
        Dead: refused for good, or taken in doubt twice.
        LeaseLost: the job is another worker's now.
    """
    placed = await _placed(run, sender, recipient, email, unique_key)
    message = None
    async with run.transaction() as tx:
        attempt = await _claim(tx, run.job_id, sender, recipient, email, unique_key)
        if attempt is not None and attempt.state == "sending":
            if not placed:
                raise Snooze("the limit that delayed this email has just ended", delay=timedelta(0))
            written = await write(tx)
            message = compose(sender.config, recipient, written, unique_key, attempt.date)
    if attempt is None:
        await _end_as_sent_before(run, recipient, email, unique_key)
        return
    if message is None:
        _count(email, "suppressed")
        await run.finish_with_note("the address is suppressed")
        return
    async with _recorded(run, attempt, recipient, email):
        await _send(run, sender, message, attempt)
    async with run.completion() as tx:
        await statements.record_sent(tx, id=attempt.id)
        if then is not None:
            await then(tx)
    _count(email, "sent")
    log.info("email.sent", template=email.template, email_id=str(attempt.id))


async def _end_as_sent_before(
    run: Run, recipient: Recipient, email: type[Email], unique_key: str
) -> None:
    async with run.transaction() as tx:
        sent_at = await statements.email_sent_at(
            tx, recipient_id=recipient.id, template=email.template, unique_key=unique_key
        )
    on = f" on {sent_at.day} {sent_at:%B %Y}" if sent_at else ""
    await run.finish_with_note(f"already sent{on}")


async def _placed(
    run: Run, sender: EmailSender, recipient: Recipient, email: type[Email], unique_key: str
) -> bool:
    """Whether a place in MAIL_RATE is taken for this email: none is for one that is not sent.

    Asked with no transaction open, and before anything is claimed or written: of a fan-out, most
    emails are asked for several times until their turn comes.

    Raises:
        Snooze: until the email's turn, or until the person may get another.
    """
    if not sender.send_limit.limited:
        return True
    async with run.transaction() as tx:
        if not await statements.may_claim_email(
            tx,
            recipient_id=recipient.id,
            template=email.template,
            unique_key=unique_key,
            address=recipient.address,
        ):
            return False
        await _spare(tx, recipient, email, unique_key)
    if wait := await sender.send_limit.wait(subscribed=email.subscription is not None):
        raise Snooze("MAIL_RATE is reached", delay=wait)
    return True


async def _send(run: Run, sender: EmailSender, message: EmailMessage, attempt: Attempt) -> None:
    """Hand the email over, unless the job or the email is another's at the last moment."""
    (to,) = message["To"].addresses
    content = sender.config.serialize(message)

    async def still_ours() -> None:
        async with run.transaction() as tx:
            if not await statements.attempt_may_send(tx, id=attempt.id, attempt=attempt.attempts):
                raise Snooze("another attempt to send this email has started", delay=_lease(sender))

    await sender.smtp_pool.send(
        sender.config.envelope_sender, to.addr_spec, content, before_data=still_ours
    )


def _lease(sender: EmailSender) -> timedelta:
    """How long an attempt may take."""
    return sender.smtp_pool.send_timeout


async def _claim(
    tx: Transaction,
    job_id: JobId,
    sender: EmailSender,
    recipient: Recipient,
    email: type[Email],
    unique_key: str,
) -> Attempt | None:
    """The attempt that may send now, or None when the email is sent.

    Raises:
        Snooze: until another attempt's time has passed, or until the person may get another.
    """
    if email.at_most is not None:
        await statements.lock_emails(tx, template=email.template, recipient_id=recipient.id)
    attempt = await statements.claim_email(
        tx,
        recipient_id=recipient.id,
        template=email.template,
        unique_key=unique_key,
        job_id=job_id,
        message_id=message_id(sender.config, recipient, email, unique_key),
        address=recipient.address,
        lease=_lease(sender),
    )
    if attempt is None:
        left = await statements.email_lease(
            tx, recipient_id=recipient.id, template=email.template, unique_key=unique_key
        )
        if left is not None:
            raise Snooze("another attempt may be sending this email", delay=left)
    else:
        await _spare(tx, recipient, email, unique_key)
    return attempt


async def _spare(
    tx: Transaction, recipient: Recipient, email: type[Email], unique_key: str
) -> None:
    """
    Raises:
        Snooze: until the person may get another.
    """
    if email.at_most is None:
        return
    wait = await statements.wait_for_another(
        tx,
        recipient_id=recipient.id,
        template=email.template,
        unique_key=unique_key,
        most=email.at_most.max_count,
        period=email.at_most.period,
    )
    if wait is not None:
        raise Snooze("the recipient has reached the limit for this email", delay=wait)


@asynccontextmanager
async def _recorded(
    run: Run, attempt: Attempt, recipient: Recipient, email: type[Email]
) -> AsyncIterator[None]:
    """Write what became of an attempt that failed, and say what becomes of its job."""
    try:
        yield
    except Refused as refusal:
        _count(email, "refused")
        async with run.transaction() as tx:
            await statements.record_refusal(
                tx, id=attempt.id, attempt=attempt.attempts, error=str(refusal)
            )
            if refusal.blames_address:
                await statements.suppress(tx, address=recipient.address, reason=str(refusal))
        raise Dead(str(refusal)) from None
    except TemporarilyRefused as refusal:
        _count(email, "deferred")
        await _record_failure(run, attempt, str(refusal))
        raise Retry(str(refusal), after=_wait(run)) from None
    except Ambiguous as silence:
        _count(email, "doubted")
        await _record_failure(run, attempt, str(silence), doubted=True)
        if attempt.doubts + 1 >= MOST_DOUBTS:
            raise Dead(f"{silence}, twice: not sent again, to avoid a third copy") from None
        raise Retry(str(silence), after=_wait(run)) from None
    except Unavailable as outage:
        if isinstance(outage, AuthenticationFailed):
            log.critical("smtp.turns_us_away", answer=str(outage))
            _count(email, "turned_away")
        else:
            _count(email, "unanswered")
        await _record_failure(run, attempt, str(outage))
        raise


def _count(email: type[Email], outcome: str) -> None:
    metrics.emails.labels(email.template, outcome).inc()


async def _record_failure(run: Run, attempt: Attempt, error: str, *, doubted: bool = False) -> None:
    async with run.transaction() as tx:
        await statements.record_failure(
            tx, id=attempt.id, attempt=attempt.attempts, error=error, doubted=doubted
        )


def _wait(run: Run) -> timedelta:
    return RETRY_AFTER[min(run.claimed.failures, len(RETRY_AFTER) - 1)]
