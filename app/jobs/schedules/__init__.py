"""Schedules: Postgres decides each tick once, whatever the workers' number and clocks."""

from app.jobs.schedules.fire import fire_due, trigger
from app.jobs.schedules.schedule import SCHEDULES, Schedule, ScheduledJob, scheduled

__all__ = ["SCHEDULES", "Schedule", "ScheduledJob", "fire_due", "scheduled", "trigger"]
