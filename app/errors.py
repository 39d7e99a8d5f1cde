"""The few kinds of failures that entry points translate."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from app import problems
from app.problems import ProblemType

E = TypeVar("E", bound=BaseException)

DATA_EXCEPTION = "22"
"""The class of SQLSTATE codes for invalid values. Messages with these codes quote the value."""


class Failure(Exception):
    """A failure of a use case. `detail` is a sentence that may be shown to the user.

    `problem` is for clients that must tell this failure from others of its kind.
    """

    def __init__(self, detail: str, *, problem: ProblemType | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem = problem


class NotFound(Failure):
    """Something does not exist or belongs to someone else. The two cases are not distinguished."""


class Forbidden(Failure):
    """The user is signed in but may not do this."""


class Unconfirmed(Forbidden):
    """The user must confirm their email address before they may do this."""

    def __init__(
        self,
        detail: str = "Confirm your email address first, with the link that we have emailed to it."
        " You can request another link in your settings.",
    ) -> None:
        super().__init__(detail, problem=problems.UNCONFIRMED)


class Unauthenticated(Failure):
    """The credentials are missing, wrong or expired."""


class Conflict(Failure):
    """The request conflicts with the current state, or with something that is still in progress."""


class Gone(Failure):
    """Something can no longer be used: it has been used already, or has expired."""


class Invalid(Failure):
    """The input is invalid. `field` names the invalid part of the request."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class TooMany(Failure):
    """A limit has been reached. Retrying may succeed after `retry_after` seconds."""

    def __init__(
        self, detail: str, *, retry_after: int, problem: ProblemType | None = None
    ) -> None:
        super().__init__(detail, problem=problem)
        self.retry_after = retry_after


class Busy(TooMany):
    """Our own capacity is fully in use; the user has not reached a limit."""


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


class StatementCancelled(Failure):
    """Postgres ended a statement, which took too long or was cancelled by an administrator.

    A retry may succeed, but waiting alone does not help: for a job this is a failed attempt.
    """

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@runtime_checkable
class PostgresFields(Protocol):
    """An error with the fields that the Postgres protocol defines.

    The text of such an error from asyncpg contains its message and its detail.
    https://www.postgresql.org/docs/current/protocol-error-fields.html
    """

    sqlstate: str | None
    detail: str | None


def without_values(error: E) -> E:
    """Remove row and argument values from an exception and the others in its chain, in place.

    Call this on an exception before it is stored or logged. Postgres errors lose their details and,
    if they report an invalid value, also their message and their cause, which quote the value. The
    names of the constraint, the table and the column are kept.
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
