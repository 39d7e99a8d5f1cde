"""The few kinds of failure. Both edges, the API and the worker, translate kinds."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

E = TypeVar("E", bound=BaseException)

DATA_EXCEPTION = "22"
"""The class of SQLSTATEs whose messages quote the value that was refused."""


class Failure(Exception):
    """A fact that a use case reports, in a sentence that may be shown to the person who asked."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Failure):
    """The thing does not exist, or belongs to someone else: the two are not told apart."""


class Forbidden(Failure):
    """The person is known and may not do this."""


class Unauthenticated(Failure):
    """The credentials are missing, wrong or expired."""


class Conflict(Failure):
    """The thing is in a state, or held by someone, that excludes the act."""


class Gone(Failure):
    """The thing existed and will not come back."""


class Invalid(Failure):
    """The input is wrong; `field` names the part, as the person wrote it."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class TooMany(Failure):
    """A limit is reached; `retry_after` seconds from now it may have passed."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Busy(TooMany):
    """A limit of ours, not of the one who asks: everything that could serve this is taken."""


class TooOld(Exception):
    """A server is older than the first version that we can work with: not worth waiting for."""


class Unavailable(Failure):
    """An outage of something that we depend on, named by `dependency`: worth waiting for.

    When it answers again, its client says so (app/dependency_health.py), and jobs wait no longer.
    """

    def __init__(self, detail: str, *, dependency: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.dependency = dependency
        self.retry_after = retry_after


@runtime_checkable
class PostgresFields(Protocol):
    """An error with the fields of Postgres's protocol, of which asyncpg prints message and detail.

    https://www.postgresql.org/docs/current/protocol-error-fields.html
    """

    sqlstate: str | None
    detail: str | None


def without_values(error: E) -> E:
    """Remove the values of rows and arguments from an exception and its chain, in place.

    For exceptions that are about to be stored or logged; they are changed in place. The detail
    is removed, and of a data exception also the message and the cause, which quote the argument.
    What stays names the constraint, the table and the column.
    """
    found: list[BaseException] = [error]
    for one in found:
        if isinstance(one, PostgresFields) and one.sqlstate:
            one.detail = None
            if one.sqlstate.startswith(DATA_EXCEPTION):
                one.args = (f"a value was refused (SQLSTATE {one.sqlstate})",)
                one.__cause__ = None
        behind = [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        found += [other for other in behind if other is not None and other not in found]
    return error
