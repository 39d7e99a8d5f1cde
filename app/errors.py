"""The few kinds of failures that entry points translate."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

E = TypeVar("E", bound=BaseException)

DATA_EXCEPTION = "22"
"""The class of SQLSTATEs whose messages quote the invalid value."""


class Failure(Exception):
    """A failure of a use case. `detail` is a sentence that may be shown to the user."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Failure):
    """Something does not exist or belongs to someone else. The two cases are not distinguished."""


class Forbidden(Failure):
    """The user is signed in but may not do this."""


class Unauthenticated(Failure):
    """The credentials are missing, wrong or expired."""


class Conflict(Failure):
    """Something's state, or its use by someone else, rules out the request."""


class Gone(Failure):
    """Something existed but will not exist again."""


class Invalid(Failure):
    """The input is invalid. `field` is the name of the invalid part in the request."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class TooMany(Failure):
    """A limit has been reached. Retrying may succeed after `retry_after` seconds."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Busy(TooMany):
    """Our own capacity has been used up; the user has not reached a limit."""


class TooOld(Exception):
    """A server is older than the oldest version that we support. Waiting does not help."""


class Unavailable(Failure):
    """An outage of `dependency`. Waiting helps.

    When the dependency responds again, its client records this (app/dependency_health.py), and the
    jobs that are blocked on the dependency run.
    """

    def __init__(self, detail: str, *, dependency: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.dependency = dependency
        self.retry_after = retry_after


@runtime_checkable
class PostgresFields(Protocol):
    """An error with the fields that the Postgres protocol defines.

    asyncpg prints the message and the detail of such an error.
    https://www.postgresql.org/docs/current/protocol-error-fields.html
    """

    sqlstate: str | None
    detail: str | None


def without_values(error: E) -> E:
    """Remove the values of rows and arguments from an exception and its chain, in place.

    Call this on exceptions before they are stored or logged. It removes their details and, from
    data exceptions, also the message and the cause, which quote the argument. The names of the
    constraint, the table and the column are kept.
    """
    chain: list[BaseException] = [error]
    for link in chain:
        if isinstance(link, PostgresFields) and link.sqlstate:
            link.detail = None
            if link.sqlstate.startswith(DATA_EXCEPTION):
                link.args = (f"a value was refused (SQLSTATE {link.sqlstate})",)
                link.__cause__ = None
        related = [link.__cause__, link.__context__, *getattr(link, "exceptions", ())]
        chain += [other for other in related if other is not None and other not in chain]
    return error
