"""The pace: how many emails all workers together may send, counted in Redis.

The count is a log of the emails of the longest period, so that no period of any position holds
more than its limit. It falls open: while Redis is away the server's own limits are what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

import structlog

from app.redis import OUTAGES, Redis
from app.settings import Rate

LOG = "activelog:letters"
"""A sorted set with a member for each email, scored by its time in microseconds."""
PATIENCE = timedelta(milliseconds=250)
"""How long an email waits for Redis."""
NOT_ASKED = timedelta(seconds=5)
"""How long a Redis that was away is not asked again."""
SUBSCRIBED_SHARE = 0.9
"""Of every limit. The rest is kept for emails that somebody is waiting for."""

_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait, gap, longest = 0, 0, 0
for i = 1, #ARGV, 2 do
    local most, period = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    longest = math.max(longest, period)
    local full = redis.call('ZREVRANGE', KEYS[1], most - 1, most - 1, 'WITHSCORES')[2]
    if full and full + period > now then
        wait = math.max(wait, full + period - now)
        gap = math.max(gap, period / most)
    end
end
if wait == 0 then
    while redis.call('ZADD', KEYS[1], 'NX', now, string.format('%.0f', now)) == 0 do
        now = now + 1
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - longest)
    redis.call('PEXPIRE', KEYS[1], longest / 1000)
    return 0
end
-- Those who have to wait are told different times, so that they do not come back together.
local place = math.max(now + wait, (redis.call('GET', KEYS[2]) or 0) + gap)
redis.call('SET', KEYS[2], string.format('%.0f', place), 'PX', math.ceil((place - now) / 1000))
return math.ceil(place - now)
"""

log = structlog.get_logger(__name__)


class SendLimit:
    """The limits of MAIL_RATE, for one process."""

    def __init__(
        self,
        redis: Redis,
        rates: Sequence[Rate],
        *,
        patience: timedelta = PATIENCE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            patience: how long an email waits for Redis, before it goes without being counted.
            clock: monotonic seconds; times the pause after Redis was away.
        """
        self._rates = rates
        self._patience_s = patience.total_seconds()
        self._clock = clock
        self._take = redis.register_script(_TAKE)
        self._ask_from = 0.0

    @property
    def limited(self) -> bool:
        return bool(self._rates)

    async def wait(self, *, subscribed: bool) -> timedelta:
        """Take the place of one email; zero: it may go. Else nothing is taken, and this is when
        to come again.

        Emails to subscribers leave a tenth of every limit to the others, and so give way to them.
        """
        if not self._rates or self._clock() < self._ask_from:
            return timedelta(0)
        share = SUBSCRIBED_SHARE if subscribed else 1.0
        limits = [
            figure
            for most, period in self._rates
            for figure in (max(1, int(most * share)), period // timedelta(microseconds=1))
        ]
        waiting = f"{LOG}:waiting:{'subscribed' if subscribed else 'others'}"
        try:
            async with asyncio.timeout(self._patience_s):
                microseconds = await self._take(keys=[LOG, waiting], args=limits)
        except (*OUTAGES, TimeoutError) as error:
            log.warning("mail.unpaced", error=type(error).__name__)
            self._ask_from = self._clock() + NOT_ASKED.total_seconds()
            return timedelta(0)
        return timedelta(microseconds=int(microseconds))
