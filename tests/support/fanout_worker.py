"""The real worker with an unthrottled fan-out. It sends no emails.

`arq tests.support.fanout_worker.WorkerSettings`
"""

from __future__ import annotations

from app.jobs.handlers import Handlers
from app.stats.emails import SendWeeklySummaryEmail, WeeklyEmails
from tests.support.fanning import fan_out_unthrottled, send_nothing
from worker import worker_settings_from_environment

__all__ = ["WorkerSettings"]

OVERRIDES: Handlers = {WeeklyEmails: fan_out_unthrottled, SendWeeklySummaryEmail: send_nothing}

WorkerSettings = worker_settings_from_environment(clock=None, overrides=OVERRIDES)
