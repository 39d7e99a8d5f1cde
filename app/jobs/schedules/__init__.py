"""Schedules: Postgres makes each tick happen once, whatever the workers and their clocks."""

from app.jobs.schedules.fire import fire_due, trigger
from app.jobs.schedules.schedule import SCHEDULES, Schedule

__all__ = ["SCHEDULES", "Schedule", "fire_due", "trigger"]
