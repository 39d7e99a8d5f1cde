"""Signing in and out."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from app import problems
from app.errors import Unauthenticated
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.rate_limits import RateLimiter
from app.users import statements
from app.users.email_links import new_token, token_hash
from app.users.login_limits import SignInAttempt, clear_sign_ins, count_sign_in
from app.users.passwords import Passwords
from app.users.statements import Credentials
from app.users.user import Me


class Session(Struct, frozen=True):
    """A new session. Only its holder has the token; the database stores the hash."""

    token: str
    expires_at: datetime


async def check_sign_in(
    db: Queryable,
    passwords: Passwords,
    limiter: RateLimiter,
    attempt: SignInAttempt,
) -> Credentials:
    """Return the credentials of the account with this address and password.

    An unknown address takes as much work as a wrong password and raises the same error. Do not call
    this in a transaction: it takes a tenth of a second, and may wait for other checks.

    Raises:
        Busy: too many passwords are waiting to be checked.
        TooMany: there were too many attempts.
        Unauthenticated: no account has this address and password.
    """
    await count_sign_in(limiter, attempt)
    credentials = await statements.credentials_by_email(db, email=attempt.email)
    matches = await passwords.verify(
        attempt.password,
        credentials.password_hash if credentials else None,
        client=attempt.client,
        known_device=attempt.known_device,
    )
    if credentials is None or not matches:
        raise _wrong_credentials()
    await clear_sign_ins(limiter, attempt.email, attempt.device)
    return await _renew_hash(db, passwords, credentials, attempt)


def _wrong_credentials() -> Unauthenticated:
    return Unauthenticated("Wrong email address or password.", problem=problems.WRONG_CREDENTIALS)


async def _renew_hash(
    db: Queryable, passwords: Passwords, credentials: Credentials, attempt: SignInAttempt
) -> Credentials:
    """Rehash a password that has been checked, if the hashing parameters have changed."""
    if not passwords.needs_rehash(credentials.password_hash):
        return credentials
    new_hash = await passwords.hash(
        attempt.password, client=attempt.client, known_device=attempt.known_device
    )
    await statements.replace_password_hash(
        db, user_id=credentials.id, old_hash=credentials.password_hash, new_hash=new_hash
    )
    return Credentials(credentials.id, new_hash)


async def open_session(tx: Transaction, credentials: Credentials, lifetime: timedelta) -> Session:
    """Open a session for an account whose password has been checked.

    Raises:
        Unauthenticated: the account has been deleted, or its password changed, since the check.
    """
    token = new_token()
    expires_at = await statements.add_session(
        tx,
        token_hash=token_hash(token),
        user_id=credentials.id,
        password_hash=credentials.password_hash,
        lifetime=lifetime,
    )
    if expires_at is None:
        raise _wrong_credentials()
    return Session(token, expires_at)


async def authenticate(db: Queryable, token: str) -> Me:
    """Return the user who is signed in with this token.

    Raises:
        Unauthenticated: the session is unknown, closed or expired, or its account was deleted.
    """
    me = await statements.session_by_token(db, token_hash=token_hash(token))
    if me is None:
        raise Unauthenticated("The token is invalid or has expired.")
    return me


async def close_session(tx: Transaction, token: str) -> None:
    """End the session with this token. An unknown token changes nothing."""
    await statements.remove_session(tx, token_hash=token_hash(token))
