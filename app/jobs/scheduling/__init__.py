"""Schedules: Postgres makes each slot happen once, whatever the workers and their clocks."""

from app.jobs.scheduling.firing import fire_due, trigger
from app.jobs.scheduling.schedule import SCHEDULES, Schedule

__all__ = ["SCHEDULES", "Schedule", "fire_due", "trigger"]
