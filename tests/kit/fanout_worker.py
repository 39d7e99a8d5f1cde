"""`arq tests.kit.fanout_worker.WorkerSettings`: the real worker, which fans out without a throttle
and whose letters are written nowhere."""

from __future__ import annotations

from app.stats.jobs import WeeklySummaryEmail
from app.stats.scheduled import WeeklyEmails
from tests.kit.fanning import fan_out_at_once, write_nothing
from worker import settings_from_environment
from worker.handler import HANDLERS, Handlers

__all__ = ["WorkerSettings"]

REPLACED: Handlers = {WeeklyEmails: fan_out_at_once, WeeklySummaryEmail: write_nothing}

WorkerSettings = settings_from_environment(clock=None, handlers={**HANDLERS, **REPLACED})
