"""How often one may try to sign in and up, and have emails sent that open something.

A client is what the network says of who asks (`app/web/connection.py`); None is not counted.
"""

from __future__ import annotations

from datetime import timedelta

from app.rate_limits import RateLimit, RateLimiter
from app.settings import Rate
from app.users.user import UserId

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)

SIGN_INS = RateLimit("sign_ins", Rate(10, QUARTER))
"""With wrong passwords, of one address; the right one begins anew."""
SIGN_INS_FROM = RateLimit("sign_ins_from", Rate(100, QUARTER))
SIGN_UPS_FROM = RateLimit("sign_ups_from", Rate(60, HOUR))
RESETS_FROM = RateLimit("resets_from", Rate(30, HOUR))
CONFIRMATIONS = RateLimit("confirmations", Rate(3, DAY))
"""Emails to one address, which may be a stranger's: so many at once, and one each eight hours."""
OWN_PASSWORDS = RateLimit("own_passwords", Rate(10, QUARTER))
"""What somebody who found a session open may guess."""


async def admit_sign_in(rates: RateLimiter, email: str, client: str | None) -> None:
    """
    Raises:
        TooMany: the address, or the client, has been tried too often lately.
    """
    from_client = [(SIGN_INS_FROM, client)] if client else []
    await rates.take((SIGN_INS, email.lower()), *from_client)


async def welcome_back(rates: RateLimiter, email: str) -> None:
    """The password was right: earlier attempts at this address no longer count."""
    await rates.reset(SIGN_INS, email.lower())


async def admit_sign_up(rates: RateLimiter, client: str | None) -> None:
    """
    Raises:
        TooMany: the client has signed up too many accounts lately.
    """
    if client:
        await rates.take((SIGN_UPS_FROM, client))


async def admit_reset(rates: RateLimiter, client: str | None) -> None:
    """
    Raises:
        TooMany: the client has asked for too many emails lately.
    """
    if client:
        await rates.take((RESETS_FROM, client))


async def admit_confirmation(rates: RateLimiter, email: str) -> None:
    """
    Raises:
        TooMany: this address was sent enough emails lately, for whichever account.
    """
    await rates.take((CONFIRMATIONS, email.lower()))


async def admit_own_password(rates: RateLimiter, user_id: UserId) -> None:
    """
    Raises:
        TooMany: the password of this account was asked for too often lately.
    """
    await rates.take((OWN_PASSWORDS, str(user_id)))
