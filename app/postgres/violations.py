"""What Postgres refuses and a use case may expect."""

from __future__ import annotations

from asyncpg import LockNotAvailableError as LockTimeout
from asyncpg import UniqueViolationError as UniqueViolation

__all__ = ["LockTimeout", "UniqueViolation"]
