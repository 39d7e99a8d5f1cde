"""The rate limits on signing in, signing up, checking passwords and requesting email links.

A client is a network address (`app/web/connection.py`). A request without one is not
counted against any client's limit.

A browser that has signed in before has a limit of its own, so that strangers who guess a password
cannot lock its owner out. It proves itself with a device token, kept in a cookie:
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from secrets import token_urlsafe
from typing import NamedTuple

from app import metrics
from app.rate_limits import RateLimit, RateLimiter
from app.settings import Rate
from app.users.user import UserId, normalize_email

QUARTER_HOUR, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)

SIGN_INS = RateLimit("sign_ins", Rate(10, QUARTER_HOUR), counts_refused=True)
"""Attempts to sign in from unknown devices, per email address. The right password and a password
reset clear the count."""
SIGN_INS_WITH = RateLimit("sign_ins_with", Rate(10, QUARTER_HOUR), counts_refused=True)
"""Attempts to sign in per known device."""
SIGN_INS_FROM = RateLimit("sign_ins_from", Rate(30, QUARTER_HOUR), counts_refused=True)
"""Attempts to sign in from unknown devices, per client. All limits with names that end in FROM are
per client."""
SIGN_UPS_FROM = RateLimit("sign_ups_from", Rate(60, HOUR))
RESET_REQUESTS_FROM = RateLimit("resets_from", Rate(30, HOUR))
CONFIRMATIONS = RateLimit("confirmations", Rate(3, DAY))
"""Emails to one address, which may be a stranger's: three in any 24 hours."""
PASSWORD_CHECKS = RateLimit("own_passwords", Rate(10, QUARTER_HOUR), counts_refused=True)
"""Per account, so that someone who finds an open session cannot keep guessing the password."""


class SignInAttempt(NamedTuple):
    """An attempt to sign in, and where it comes from."""

    email: str
    """As `normalize_email` returns it."""
    password: str
    client: str | None
    """The network address; None if it is unknown or this machine's."""
    device: str | None
    """The device token, if the browser sent one that it got when this address signed in."""

    @property
    def known_device(self) -> bool:
        return self.device is not None


def new_device_token(secret: str, email: str) -> str:
    """Return a token for a browser in which the owner of this address has signed in."""
    nonce = token_urlsafe(16)
    return f"{nonce}.{_signature(secret, email, nonce)}"


def valid_device(secret: str, email: str, token: str | None) -> str | None:
    """Return the device token if it was made for this address, else None."""
    nonce, _, signature = (token or "").partition(".")
    expected = _signature(secret, email, nonce)
    return token if hmac.compare_digest(signature.encode(), expected.encode()) else None


def _signature(secret: str, email: str, nonce: str) -> str:
    message = f"device\0{normalize_email(email)}\0{nonce}".encode()
    return hmac.digest(secret.encode(), message, "sha256").hex()


async def count_sign_in(limiter: RateLimiter, attempt: SignInAttempt) -> None:
    """Count an attempt to sign in.

    Raises:
        TooMany: the known device has reached its limit, or else the address or the client.
    """
    if attempt.device:
        await limiter.take((SIGN_INS_WITH, attempt.device))
        return
    from_client = [(SIGN_INS_FROM, attempt.client)] if attempt.client else []
    await limiter.take((SIGN_INS, attempt.email), *from_client)


async def clear_sign_ins(limiter: RateLimiter, email: str, device: str | None = None) -> None:
    """Forget the attempts to sign in: the owner of the address has proved who they are."""
    await limiter.reset(SIGN_INS, normalize_email(email))
    if device:
        await limiter.reset(SIGN_INS_WITH, device)


async def count_sign_up(limiter: RateLimiter, client: str | None) -> None:
    """Count a sign-up.

    Raises:
        TooMany: the client has reached its limit.
    """
    if client:
        await limiter.take((SIGN_UPS_FROM, client))


async def count_reset_request(limiter: RateLimiter, client: str | None) -> None:
    """Count a request for a password-reset email.

    Raises:
        TooMany: the client has reached its limit.
    """
    if client:
        await limiter.take((RESET_REQUESTS_FROM, client))


async def count_confirmation(limiter: RateLimiter, email: str) -> None:
    """Count a confirmation email to this address, whichever account requested it.

    Raises:
        TooMany: the address has reached its limit.
    """
    await limiter.take((CONFIRMATIONS, normalize_email(email)))


async def count_password_check(limiter: RateLimiter, user_id: UserId) -> None:
    """Count a check of a signed-in user's password.

    Raises:
        TooMany: the account has reached its limit.
    """
    await limiter.take((PASSWORD_CHECKS, str(user_id)))


for _limit in (
    SIGN_INS,
    SIGN_INS_WITH,
    SIGN_INS_FROM,
    SIGN_UPS_FROM,
    RESET_REQUESTS_FROM,
    CONFIRMATIONS,
    PASSWORD_CHECKS,
):
    metrics.refused.labels(_limit.name)  # so that the series exist before the first refusal
