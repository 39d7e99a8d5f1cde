"""The send limit: how many emails all workers together may send, counted in Redis.

Redis keeps a log of the emails sent in the longest period. So each limit holds for any period of
its length, not only for whole clock hours or days. The limit fails open: while Redis is
unavailable, only the mail server's own limits apply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

import structlog

from app.redis import OUTAGES, Redis
from app.settings import Rate

LOG_KEY = "activelog:sent_emails"
"""The key of a sorted set with a member for each email, scored by the time in microseconds."""
REDIS_TIMEOUT = timedelta(milliseconds=250)
"""How long an email waits for Redis."""
REDIS_PAUSE = timedelta(seconds=5)
"""How long to avoid Redis after it has failed to respond."""
SUBSCRIBED_SHARE = 0.9
"""The share of each limit that emails with a subscription may use. The rest is reserved for emails
that someone is waiting for."""

_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait, gap, longest = 0, 0, 0
for i = 1, #ARGV, 2 do
    local max_count, period = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    longest = math.max(longest, period)
    local oldest = redis.call('ZREVRANGE', KEYS[1], max_count - 1, max_count - 1, 'WITHSCORES')[2]
    if oldest and oldest + period > now then
        wait = math.max(wait, oldest + period - now)
        gap = math.max(gap, period / max_count)
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
-- Give each waiting email a different time, so that they do not all come back at once.
local turn = math.max(now + wait, (redis.call('GET', KEYS[2]) or 0) + gap)
redis.call('SET', KEYS[2], string.format('%.0f', turn), 'PX', math.ceil((turn - now) / 1000))
return math.ceil(turn - now)
"""

log = structlog.get_logger(__name__)


class SendLimit:
    """The limits that MAIL_RATE sets."""

    def __init__(
        self,
        redis: Redis,
        rates: Sequence[Rate],
        *,
        redis_timeout: timedelta = REDIS_TIMEOUT,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            redis_timeout: how long an email waits for Redis before it is sent uncounted.
            clock: returns monotonic seconds, to time the pause after Redis has failed to respond.
        """
        self._rates = rates
        self._redis_timeout_s = redis_timeout.total_seconds()
        self._clock = clock
        self._reserve_script = redis.register_script(_RESERVE)
        self._redis_paused_until_s = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._rates)

    async def reserve(self, *, subscribed: bool) -> timedelta:
        """Count one email, and return zero if it may be sent now.

        If a limit has been reached, do not count it, and return how long to wait before the next
        try. Emails with a subscription leave at least a tenth of each limit for the others, unless
        the limit is 1.
        """
        if not self._rates or self._clock() < self._redis_paused_until_s:
            return timedelta(0)
        share = SUBSCRIBED_SHARE if subscribed else 1.0
        limits = [
            argument
            for max_count, period in self._rates
            for argument in (max(1, int(max_count * share)), period // timedelta(microseconds=1))
        ]
        turn_key = f"{LOG_KEY}:next_turn:{'subscribed' if subscribed else 'others'}"
        try:
            async with asyncio.timeout(self._redis_timeout_s):
                microseconds = await self._reserve_script(keys=[LOG_KEY, turn_key], args=limits)
        except (*OUTAGES, TimeoutError) as error:
            log.warning("send_limit.skipped", error=type(error).__name__)
            self._redis_paused_until_s = self._clock() + REDIS_PAUSE.total_seconds()
            return timedelta(0)
        return timedelta(microseconds=int(microseconds))
