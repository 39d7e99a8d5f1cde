"""Schedules: recurring jobs. Postgres decides what happens at each tick.

The number of workers and their clocks make no difference.
"""

from app.jobs.schedules.fire import fire_due, trigger
from app.jobs.schedules.schedule import SCHEDULES, Schedule, ScheduledJob, scheduled

__all__ = ["SCHEDULES", "Schedule", "ScheduledJob", "fire_due", "scheduled", "trigger"]
