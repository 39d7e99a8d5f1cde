"""What a Postgres error means. Nothing else decides this (decision 23)."""

from __future__ import annotations

import asyncpg

from app.errors import StatementCancelled, Unavailable

POSTGRES_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""All errors that asyncpg defines: an answer from Postgres, or a connection that cannot be used."""

OUTAGE_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection, insufficient resources, operator intervention, system error.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""
READ_ONLY = "25006"
"""A standby, a demoted primary, or a server that was made read-only because its disk is full."""
QUERY_CANCELED = "57014"
"""The statement ran into `statement_timeout`, or somebody called pg_cancel_backend."""
CONFLICTS = ("40", "55P03")
"""A deadlock or a failed serialization, and a lock that was not free in time."""

OUR_BUGS = (
    asyncpg.ClientConfigurationError,
    asyncpg.UnsupportedClientFeatureError,
    asyncpg.UnsupportedServerFeatureError,
)
"""What asyncpg refuses without asking Postgres."""


def failure_of(error: BaseException) -> Unavailable | StatementCancelled | None:
    """Classify an error by its SQLSTATE, or by the lack of an answer.

    Returns:
        `Unavailable` for an outage or a conflict, which waiting resolves; `StatementCancelled` if
        Postgres ended the statement; None for all other errors, which are our bugs.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state == QUERY_CANCELED:
            return StatementCancelled("The database ended a statement that took too long.")
        if state.startswith(CONFLICTS):
            return _unavailable(f"A change conflicts with another one ({type(error).__name__}).")
        answered = not (state.startswith(OUTAGE_CLASSES) or state == READ_ONLY)
    else:
        no_answer = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        answered = isinstance(error, OUR_BUGS) or not isinstance(error, no_answer)
    return None if answered else _unavailable(f"Postgres is unavailable ({type(error).__name__}).")


def not_responding(error: BaseException) -> Unavailable:
    """Return the failure for a process that cannot connect to Postgres when it starts."""
    reason = str(error) or "no answer in time"  # asyncpg's timeouts have no text
    return _unavailable(f"Postgres is not responding: {reason}")


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(detail, dependency="postgres")
