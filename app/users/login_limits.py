"""The rate limits on signing in, signing up, checking passwords and requesting email links.

A client is a network address (`app/web/connection.py`). A request without one is not
counted against any client's limit.
"""

from __future__ import annotations

from datetime import timedelta

from app.rate_limits import RateLimit, RateLimiter
from app.settings import Rate
from app.users.user import UserId

QUARTER_HOUR, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)

SIGN_INS = RateLimit("sign_ins", Rate(10, QUARTER_HOUR))
"""Attempts to sign in, per email address. The right password resets the count."""
SIGN_INS_FROM = RateLimit("sign_ins_from", Rate(100, QUARTER_HOUR))
"""Attempts to sign in, per client. All limits with names that end in FROM are per client."""
SIGN_UPS_FROM = RateLimit("sign_ups_from", Rate(60, HOUR))
RESET_REQUESTS_FROM = RateLimit("resets_from", Rate(30, HOUR))
CONFIRMATIONS = RateLimit("confirmations", Rate(3, DAY))
"""Emails to one address, which may be a stranger's: three at once, then one every eight hours."""
PASSWORD_CHECKS = RateLimit("own_passwords", Rate(10, QUARTER_HOUR))
"""Per account, so that someone who finds an open session cannot keep guessing the password."""


async def count_sign_in(limiter: RateLimiter, email: str, client: str | None) -> None:
    """Count an attempt to sign in.

    Raises:
        TooMany: the address or the client has reached its limit.
    """
    from_client = [(SIGN_INS_FROM, client)] if client else []
    await limiter.take((SIGN_INS, email.lower()), *from_client)


async def clear_sign_ins(limiter: RateLimiter, email: str) -> None:
    """Forget the attempts to sign in with this address, because the password was right."""
    await limiter.reset(SIGN_INS, email.lower())


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
    await limiter.take((CONFIRMATIONS, email.lower()))


async def count_password_check(limiter: RateLimiter, user_id: UserId) -> None:
    """Count a check of a signed-in user's password.

    Raises:
        TooMany: the account has reached its limit.
    """
    await limiter.take((PASSWORD_CHECKS, str(user_id)))
