"""Confirming an email address, and what waits for it.

Until its address is confirmed, an account can sign in, record and export. It cannot affect other
people, and they see nothing of it: somebody else may have typed the address. The view
`confirmed_users` says which accounts are confirmed: every statement about two people uses it.
"""

from __future__ import annotations

from app import jobs, problems
from app.email.suppressions import is_suppressed
from app.errors import Conflict, Forbidden, Gone, Unconfirmed
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.rate_limits import RateLimiter
from app.users import statements
from app.users.accounts import profile_of
from app.users.email_links import token_hash
from app.users.emails import SendConfirmationEmail
from app.users.jobs import delete_unconfirmed
from app.users.login_limits import count_confirmation, count_password_check
from app.users.passwords import Passwords
from app.users.statements import TokenOwner
from app.users.user import Profile, UserId


async def confirmed_address(db: Queryable, user_id: UserId) -> str:
    """Return a user's address in lower case, before an action that affects other people.

    Raises:
        Unconfirmed: the user has not confirmed it.
    """
    address = await statements.confirmed_address(db, user_id=user_id)
    if address is None:
        raise Unconfirmed
    return address


async def request_confirmation(tx: Transaction, limiter: RateLimiter, user_id: UserId) -> Profile:
    """Enqueue another confirmation email, for a user whose first link is lost or has expired.

    Earlier links keep working until they expire. While a confirmation email is waiting to be sent,
    no second one is enqueued or counted.

    Raises:
        Conflict: the address is already confirmed, or suppressed.
        TooMany: the address has reached its limit for confirmation emails.
        NotFound: the account was deleted.
    """
    profile = await profile_of(tx, user_id)
    if profile.confirmed_at is not None:
        raise Conflict("Your address is already confirmed.", problem=problems.ALREADY_CONFIRMED)
    if await is_suppressed(tx, profile.email):
        raise Conflict(
            "We no longer send email to your address, because emails to it bounced or someone"
            " asked us to stop. Please contact the operator of this service.",
            problem=problems.ADDRESS_SUPPRESSED,
        )
    if await jobs.enqueue(tx, SendConfirmationEmail(user_id=user_id)) is not None:
        await count_confirmation(limiter, profile.email)
    return profile


async def token_owner(db: Queryable, token: str) -> TokenOwner:
    """Return the account that a confirmation link is for.

    Raises:
        Gone: the token is unknown, used or expired, or its account was deleted. The error does not
            say which.
    """
    owner = await statements.token_owner(db, token_hash=token_hash(token), purpose="confirm")
    if owner is None:
        raise _gone()
    return owner


async def check_confirmer(
    db: Queryable,
    passwords: Passwords,
    limiter: RateLimiter,
    token: str,
    *,
    user_id: UserId | None,
    password: str,
) -> None:
    """Check that the person with a confirmation link also owns the account.

    The link proves that they read mail for the address. If it were enough, one click by the
    address's owner could confirm an account that a stranger made and has the password to. Do not
    call this in a transaction: hashing is slow.

    Args:
        user_id: who is signed in. The account's own session replaces its password.

    Raises:
        Gone: the token is unknown, used or expired, or its account was deleted.
        Forbidden: the session is not the account's, and the password is missing or wrong.
        TooMany: the account has reached its limit for checking passwords.
    """
    owner = await token_owner(db, token)
    if user_id == owner.id:
        return
    if password:
        await count_password_check(limiter, owner.id)
    if not password or not await passwords.verify(password, owner.password_hash):
        raise Forbidden(
            "Enter the account's password, or sign in to it. If you have forgotten the password,"
            " reset it: that confirms your address, too."
        )


async def confirm_address(tx: Transaction, token: str) -> None:
    """Confirm an address with the token from a confirmation email, which works once.

    Raises:
        Gone: the token is unknown, used or expired. The error does not say which.
    """
    user_id = await statements.use_token(tx, token_hash=token_hash(token), purpose="confirm")
    if user_id is None:
        raise _gone()
    await statements.confirm_address(tx, user_id=user_id)


async def disown(tx: Transaction, token: str) -> None:
    """Delete an account that a stranger made for the reader's address, and enqueue its erasure.

    Raises:
        Gone: the token is unknown, used or expired, or the address has been confirmed since.
    """
    user_id = await statements.use_token(tx, token_hash=token_hash(token), purpose="confirm")
    if user_id is None or await delete_unconfirmed(tx, user_id) is None:
        raise _gone()


def _gone() -> Gone:
    return Gone(
        "This link has been used or has expired."
        " If your address is not confirmed yet, sign in and request a new link."
    )
