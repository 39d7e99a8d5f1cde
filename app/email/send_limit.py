"""The send limit: how many emails all workers together may send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

from app.rate_limits import RateLimit, RateLimiter
from app.settings import Rate

SUBSCRIBED_SHARE = 0.9
"""The share of each limit that emails with a subscription may use. The rest is reserved for emails
that someone is waiting for."""
ALL_EMAILS = "all"
"""What the limits count: all emails together, not those of one person."""


class SendLimit:
    """The limits that MAIL_RATE sets. Each applies to every window of its length."""

    def __init__(
        self,
        limiter: RateLimiter,
        rates: Sequence[Rate],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            clock: returns monotonic seconds, to give waiting emails different times.
        """
        self._limiter = limiter
        self._limits = [
            RateLimit(f"emails_{number}", rate) for number, rate in enumerate(rates, start=1)
        ]
        self._clock = clock
        self._next_turns_s = {True: 0.0, False: 0.0}
        """When the next waiting email may try, by whether it has a subscription."""

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._limits)

    async def reserve(self, *, subscribed: bool) -> timedelta:
        """Count one email, and return zero if it may be sent now.

        If a limit has been reached, do not count it, and return how long to wait before the next
        try. Emails with a subscription leave at least a tenth of each limit for the others, unless
        the limit is 1. Waiting emails of one worker get different times, so that they do not all
        come back at once.
        """
        if not self._limits:
            return timedelta(0)
        limits = [_share_of(limit) for limit in self._limits] if subscribed else self._limits
        refusal = await self._limiter.find_refusal(*((limit, ALL_EMAILS) for limit in limits))
        if refusal is None:
            return timedelta(0)
        max_count, period = refusal.limit.room, refusal.limit.rate.period
        now_s, gap_s = self._clock(), period.total_seconds() / max_count
        turn_s = max(now_s + refusal.wait_s, self._next_turns_s[subscribed] + gap_s)
        self._next_turns_s[subscribed] = turn_s
        return timedelta(seconds=turn_s - now_s)


def _share_of(limit: RateLimit) -> RateLimit:
    return limit._replace(usable=max(1, int(limit.rate.max_count * SUBSCRIBED_SHARE)))
