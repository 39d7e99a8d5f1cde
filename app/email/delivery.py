"""Delivering an email once per unique key, even if its job is retried, interrupted or run twice.

Each attempt first commits a claim to the delivery ledger (`emails`), then sends the email and
commits the result, however long Postgres is unavailable in between. An email is sent twice only if
the server accepts it but its reply is lost, or if the worker is lost before it has committed the
result. Both copies then have the same Message-ID.
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
from app.email.statements import DeliveryAttempt
from app.errors import Unavailable
from app.jobs import JobId, Run
from app.jobs.outcomes import Dead, Retry, Snooze
from app.postgres.database import Transaction


@dataclass(frozen=True, slots=True)
class EmailSender:
    """What handlers need to send emails."""

    config: EmailConfig
    smtp_pool: SmtpPool
    send_limit: SendLimit


E = TypeVar("E", bound=Email)

RETRY_DELAYS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""The wait after the first, the second and every later failed attempt."""
MAX_UNCONFIRMED_PER_DAY = 5
"""How many emails an unconfirmed address gets in a day, whichever accounts and people cause them.
The last one is reserved for emails with `may_use_reserve`."""
MAX_AMBIGUOUS_SENDS = 2
"""After this many sends that the server may have accepted, only an operator can retry the job."""

log = structlog.get_logger(__name__)


async def deliver(
    run: Run,
    sender: EmailSender,
    recipient: Recipient,
    email: type[E],
    write: Callable[[Transaction], Awaitable[E]],
    *,
    unique_key: str,
    on_sent: Callable[[Transaction], Awaitable[object]] | None = None,
) -> None:
    """Send an email unless it has already been sent.

    The job is completed in the transaction that records the email as sent. Nothing is sent to a
    suppressed address. An address that the recipient has not confirmed gets only emails that may
    reach anyone (`Email.reaches`), and at most MAX_UNCONFIRMED_PER_DAY of them. If the server
    rejects the address itself, the address is suppressed.

    Args:
        write: returns the email; called only if the email is to be sent, in the transaction that
            claims it.
        on_sent: called in the transaction that records the email as sent.

    Raises:
        Snooze: a limit has been reached or has yet to be checked, or another attempt may be sending
            the email now.
        Retry: the server refused the email temporarily, or may have accepted it without replying.
        Unavailable: the server currently accepts no emails from us.
        Dead: the server rejected the email, or may have accepted it twice.
        BrokenTemplate, ValueError: see `compose`.
        LeaseLost: this attempt has lost its job.
    """
    reserved = await _reserve_send(run, sender, recipient, email, unique_key)
    message = None
    async with run.transaction() as tx:
        attempt = await _claim_email(tx, run.job_id, sender, recipient, email, unique_key)
        if attempt is not None and attempt.state == "sending":
            if not reserved:
                raise Snooze(
                    "the email has only just become sendable; MAIL_RATE is checked next",
                    delay=timedelta(0),
                )
            instance = await write(tx)
            message = compose(sender.config, recipient, instance, unique_key, attempt.date)
    if attempt is None:
        await _finish_unclaimed(run, recipient, email, unique_key)
        return
    if message is None:
        _count(email, "suppressed")
        await run.finish_with_note("the address is suppressed")
        return
    async with _record_errors(run, attempt, recipient, email):
        await _send(run, sender, message, attempt)

    async def record_sent(tx: Transaction) -> None:
        await statements.record_sent(tx, id=attempt.id)
        if on_sent is not None:
            await on_sent(tx)

    await run.complete(record_sent)
    _count(email, "sent")
    log.info("email.sent", template=email.template, email_id=str(attempt.id))


async def _finish_unclaimed(
    run: Run, recipient: Recipient, email: type[Email], unique_key: str
) -> None:
    """Finish the job of an email that was sent before, or may not reach its recipient."""
    async with run.transaction() as tx:
        sent_at = await statements.email_sent_at(
            tx, recipient_id=recipient.id, template=email.template, unique_key=unique_key
        )
    if sent_at is None:
        _count(email, "unconfirmed")
        await run.finish_with_note("the address is not confirmed")
    else:
        await run.finish_with_note(f"already sent on {sent_at.day} {sent_at:%B %Y}")


async def _reserve_send(
    run: Run, sender: EmailSender, recipient: Recipient, email: type[Email], unique_key: str
) -> bool:
    """Count this email against MAIL_RATE, or return False if it cannot be sent now anyway.

    Redis is called while no transaction is open, and before the email is claimed and composed:
    most jobs of a fan-out get this far several times before their emails may be sent.

    Raises:
        Snooze: until MAIL_RATE or the recipient's limit allows the email.
    """
    if not sender.send_limit.is_limited:
        return True
    async with run.transaction() as tx:
        if not await statements.may_claim_email(
            tx,
            recipient_id=recipient.id,
            template=email.template,
            unique_key=unique_key,
            address=recipient.address,
            reaches_anyone=email.reaches == "anyone",
        ):
            return False
        await _check_recipient_limit(tx, recipient, email, unique_key)
        await _check_address_limit(tx, sender, recipient, email, unique_key)
    if wait := await sender.send_limit.reserve(subscribed=email.subscription is not None):
        raise Snooze("MAIL_RATE has been reached", delay=wait)
    return True


async def _send(
    run: Run, sender: EmailSender, message: EmailMessage, attempt: DeliveryAttempt
) -> None:
    """Send the email, unless another attempt has just taken over the job or the email.

    Raises:
        Snooze: another attempt may be sending the email.
        LeaseLost: this attempt has lost its job.
        Refused, TemporarilyRefused, Ambiguous, Unavailable: see `SmtpPool.send`.
    """
    (to,) = message["To"].addresses
    content = sender.config.serialize(message)

    async def check_claim() -> None:
        async with run.transaction() as tx:
            if not await statements.attempt_may_send(tx, id=attempt.id, attempt=attempt.attempts):
                raise Snooze("another attempt may be sending this email", delay=_lease(sender))

    await sender.smtp_pool.send(
        sender.config.envelope_sender, to.addr_spec, content, before_data=check_claim
    )


def _lease(sender: EmailSender) -> timedelta:
    """Return how long an attempt may take. No other attempt can start during that time."""
    return sender.smtp_pool.send_timeout


async def _claim_email(
    tx: Transaction,
    job_id: JobId,
    sender: EmailSender,
    recipient: Recipient,
    email: type[Email],
    unique_key: str,
) -> DeliveryAttempt | None:
    """Claim the email for an attempt to send it.

    Return None if it has already been sent, or may not reach an unconfirmed address.

    Raises:
        Snooze: until another attempt's lease ends, or the limits of the recipient and of their
            address allow the email.
    """
    if email.limit_per_person is not None:
        await statements.lock_emails(tx, template=email.template, recipient_id=recipient.id)
    attempt = await statements.claim_email(
        tx,
        recipient_id=recipient.id,
        template=email.template,
        unique_key=unique_key,
        job_id=job_id,
        message_id=message_id(sender.config, recipient, email, unique_key),
        address=recipient.address,
        reaches_anyone=email.reaches == "anyone",
        lease=_lease(sender),
    )
    if attempt is None:
        lease = await statements.email_lease(
            tx, recipient_id=recipient.id, template=email.template, unique_key=unique_key
        )
        if lease is not None:
            raise Snooze("another attempt may be sending this email", delay=lease)
    elif attempt.state == "sending":
        await _check_recipient_limit(tx, recipient, email, unique_key)
        await _check_address_limit(tx, sender, recipient, email, unique_key, count=True)
    return attempt


async def _check_recipient_limit(
    tx: Transaction, recipient: Recipient, email: type[Email], unique_key: str
) -> None:
    """Check that the recipient may get one more email of this type (`Email.limit_per_person`).

    Raises:
        Snooze: until the limit allows the email.
    """
    if email.limit_per_person is None:
        return
    wait = await statements.remaining_wait(
        tx,
        recipient_id=recipient.id,
        template=email.template,
        unique_key=unique_key,
        max_count=email.limit_per_person.max_count,
        period=email.limit_per_person.period,
    )
    if wait is not None:
        raise Snooze("the recipient has reached the limit for emails of this type", delay=wait)


async def _check_address_limit(
    tx: Transaction,
    sender: EmailSender,
    recipient: Recipient,
    email: type[Email],
    unique_key: str,
    *,
    count: bool = False,
) -> None:
    """Check that an unconfirmed address may get one more email, and count it if `count` is set.

    The count is kept by address in Postgres: deleting the account and signing up again does not
    start a new one. An attempt to send the same email again is not counted twice.

    Raises:
        Snooze: until the limit allows the email.
    """
    if email.reaches == "confirmed" or await statements.has_confirmed(
        tx, recipient_id=recipient.id, address=recipient.address
    ):
        return
    counted = message_id(sender.config, recipient, email, unique_key)
    if count:
        await statements.lock_unconfirmed_address(tx, address=recipient.address)
    wait = await statements.unconfirmed_wait(
        tx,
        address=recipient.address,
        message_id=counted,
        max_count=MAX_UNCONFIRMED_PER_DAY - (not email.may_use_reserve),
    )
    if wait is not None:
        raise Snooze("the address is not confirmed, and has had its emails for today", delay=wait)
    if count:
        await statements.count_unconfirmed_email(tx, address=recipient.address, message_id=counted)


@asynccontextmanager
async def _record_errors(
    run: Run, attempt: DeliveryAttempt, recipient: Recipient, email: type[Email]
) -> AsyncIterator[None]:
    """Record a failed attempt in the ledger, and turn its error into the job's outcome."""
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
        raise Retry(str(refusal), delay=_retry_delay(run)) from None
    except Ambiguous as error:
        _count(email, "ambiguous")
        await _record_failure(run, attempt, str(error), ambiguous=True)
        if attempt.doubts + 1 >= MAX_AMBIGUOUS_SENDS:
            raise Dead(
                f"{error}. This was the second time, so it is not sent again:"
                " two copies may have arrived."
            ) from None
        raise Retry(str(error), delay=_retry_delay(run)) from None
    except Unavailable as outage:
        if isinstance(outage, AuthenticationFailed):
            log.critical("smtp.auth_failed", answer=str(outage))
            _count(email, "auth_failed")
        else:
            _count(email, "unavailable")
        await _record_failure(run, attempt, str(outage))
        raise


def _count(email: type[Email], outcome: str) -> None:
    metrics.emails.labels(email.template, outcome).inc()


async def _record_failure(
    run: Run, attempt: DeliveryAttempt, error: str, *, ambiguous: bool = False
) -> None:
    async with run.transaction() as tx:
        await statements.record_failure(
            tx, id=attempt.id, attempt=attempt.attempts, error=error, ambiguous=ambiguous
        )


def _retry_delay(run: Run) -> timedelta:
    return RETRY_DELAYS[min(run.claimed.failures, len(RETRY_DELAYS) - 1)]
