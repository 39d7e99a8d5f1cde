"""How long what nobody needs any more is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.environment import Variables


@dataclass(frozen=True, slots=True)
class Retention:
    """From when something ended or was deleted until the nightly cleanup removes it."""

    deleted: timedelta
    """Activities; and accounts, should the job that erases them have died."""
    jobs: timedelta
    dead_letters: timedelta
    runs: timedelta
    """Of schedules."""
    emails: timedelta
    """Records of deliveries: without one, a letter could go out again on the same occasion."""

    @classmethod
    def from_env(cls, env: Variables) -> Retention:
        def days(name: str, default: int) -> timedelta:
            return timedelta(days=env.number(name, default, 1, 3660))

        return cls(
            deleted=days("RETENTION_DELETED", 30),
            jobs=days("RETENTION_JOBS", 7),
            dead_letters=days("RETENTION_DEAD_LETTERS", 90),
            runs=days("RETENTION_RUNS", 400),
            emails=days("RETENTION_EMAILS", 400),
        )
