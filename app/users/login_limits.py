"""How often one may try to sign in and up, and have emails sent that open something.

A client is what the network says of who asks (`app/web/connection.py`); None is not counted.
"""

from __future__ import annotations

from datetime import timedelta

from app.rate_limits import RateLimit, RateLimiter
from app.settings import Rate
from app.users.user import UserId

QUARTER_HOUR, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)

SIGN_INS = Limit("sign_ins", 10, QUARTER_HOUR)
"""With wrong passwords, of one address; the right one begins anew."""
SIGN_INS_FROM = Limit("sign_ins_from", 100, QUARTER_HOUR)
SIGN_UPS_FROM = Limit("sign_ups_from", 60, HOUR)
RESETS_FROM = Limit("resets_from", 30, HOUR)
CONFIRMATIONS = Limit("confirmations", 3, DAY)
"""Emails to one address, which may be a stranger's: so many at once, and one each eight hours."""
PASSWORD_CHECKS = Limit("own_passwords", 10, QUARTER_HOUR)
"""What somebody who found a session open may guess."""


async def count_sign_in(rates: Rates, email: str, client: str | None) -> None:
    """
    Raises:
        TooMany: the address, or the client, has been tried too often lately.
    """
    from_client = [(SIGN_INS_FROM, client)] if client else []
    await rates.take((SIGN_INS, email.lower()), *from_client)


async def clear_sign_ins(rates: Rates, email: str) -> None:
    """The password was right: earlier attempts at this address no longer count."""
    await rates.reset(SIGN_INS, email.lower())


async def count_sign_up(rates: Rates, client: str | None) -> None:
    """
    Raises:
        TooMany: the client has signed up too many accounts lately.
    """
    if client:
        await rates.take((SIGN_UPS_FROM, client))


async def count_reset_request(rates: Rates, client: str | None) -> None:
    """
    Raises:
        TooMany: the client has asked for too many emails lately.
    """
    if client:
        await rates.take((RESETS_FROM, client))


async def count_confirmation(rates: Rates, email: str) -> None:
    """
    Raises:
        TooMany: this address was sent enough emails lately, for whichever account.
    """
    await rates.take((CONFIRMATIONS, email.lower()))


async def count_password_check(rates: Rates, user_id: UserId) -> None:
    """
    Raises:
        TooMany: the password of this account was asked for too often lately.
    """
    await rates.take((PASSWORD_CHECKS, str(user_id)))
