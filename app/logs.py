"""One log pipeline for our lines, arq's, the HTTP server's and every library's."""

from __future__ import annotations

import logging
import logging.config
import os
import sys
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import structlog
from structlog.typing import EventDict

from app.errors import without_values
from app.settings import Logs

QUIET = {
    "arq": "WARNING",  # worker.* and job.* replace what it says of itself
    "uvicorn": "WARNING",  # api.started replaces it
    "uvicorn.access": "WARNING",  # its line holds the path, and paths hold tokens
    "botocore": "WARNING",
    "aiobotocore": "WARNING",
    "boto3": "WARNING",
    "asyncio": "WARNING",
}


class Attempt(Protocol):
    """What a log line tells of the job that it was written in."""

    @property
    def id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def request_id(self) -> str | None: ...
    @property
    def traceparent(self) -> str | None: ...


class Cause(NamedTuple):
    """The request behind what happens, and the trace that the request was part of."""

    request_id: str | None = None
    traceparent: str | None = None
    """Of version 00 of https://www.w3.org/TR/trace-context/, checked."""

    @property
    def trace_id(self) -> str | None:
        return self.traceparent and self.traceparent.split("-")[1]


REQUEST: ContextVar[Cause] = ContextVar("request")
"""The request that is answered in this context."""
ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")
"""The attempt that runs in this context: one variable, read only when a line is written."""


def cause() -> Cause:
    """The request that is being answered, or the one that caused the job that runs."""
    if attempt := ATTEMPT.get(None):
        return Cause(attempt.request_id, attempt.traceparent)
    return REQUEST.get(Cause())


def _tell_cause(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if attempt := ATTEMPT.get(None):
        event["job"], event["kind"] = str(attempt.id), attempt.kind
        event["attempt"] = attempt.attempt
    caused_by = cause()
    if caused_by.request_id:
        event["request_id"] = caused_by.request_id
    if caused_by.traceparent:
        event["trace_id"] = caused_by.trace_id
    return event


def _cut_values(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Keep what errors of Postgres quote of rows out of the tracebacks."""
    raised = event.get("exc_info")
    if raised:
        error = sys.exc_info()[1] if raised is True else raised
        error = error[1] if isinstance(error, tuple) else error
        if isinstance(error, BaseException):
            without_values(error)
    return event


def configure(settings: Logs) -> None:
    """Route structlog and the standard library's loggers into one stream on stderr."""
    logging.captureWarnings(True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # none is shown
    shared: list[structlog.typing.Processor] = [
        _tell_cause,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"one": _formatter(settings, shared)},
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "one",
                    "stream": sys.stderr,
                }
            },
            "root": {"handlers": ["stderr"], "level": settings.level.upper()},
            "loggers": {
                name: {"handlers": [], "propagate": True, "level": level}
                for name, level in QUIET.items()
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _drop_colours(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """uvicorn adds its lines a second time, in colours."""
    event.pop("color_message", None)
    return event


def _formatter(settings: Logs, shared: list[structlog.typing.Processor]) -> dict[str, Any]:
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
                exception_formatter=structlog.dev.plain_traceback,  # others print local variables
            )
        ]
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(), _drop_colours],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _cut_values,
            *last,
        ],
    }
