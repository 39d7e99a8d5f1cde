"""One logging pipeline for our own lines and those from arq, the HTTP server and all libraries."""

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

LIBRARY_LEVELS = {
    "arq": "WARNING",  # worker.* and job.* replace its lines
    "uvicorn": "WARNING",  # api.started replaces its startup lines
    "uvicorn.access": "WARNING",  # its lines contain paths, and paths contain tokens
    "botocore": "WARNING",
    "aiobotocore": "WARNING",
    "boto3": "WARNING",
    "asyncio": "WARNING",
}


class LoggedAttempt(Protocol):
    """What log lines say about the attempt that writes them."""

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


class Origin(NamedTuple):
    """The request that caused the current work, and the trace that the request belongs to."""

    request_id: str | None = None
    traceparent: str | None = None
    """A valid `traceparent` header, version 00: https://www.w3.org/TR/trace-context/."""

    @property
    def trace_id(self) -> str | None:
        return self.traceparent and self.traceparent.split("-")[1]


REQUEST: ContextVar[Origin] = ContextVar("request")
"""The request being handled in this context."""
ATTEMPT: ContextVar[LoggedAttempt] = ContextVar("attempt")
"""The attempt running in this context."""


def origin() -> Origin:
    """Return the current request, or the request that caused the running job."""
    if attempt := ATTEMPT.get(None):
        return Origin(attempt.request_id, attempt.traceparent)
    return REQUEST.get(Origin())


def _add_origin(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if attempt := ATTEMPT.get(None):
        event["job"], event["kind"] = str(attempt.id), attempt.kind
        event["attempt"] = attempt.attempt
    caused_by = origin()
    if caused_by.request_id:
        event["request_id"] = caused_by.request_id
    if caused_by.traceparent:
        event["trace_id"] = caused_by.trace_id
    return event


def _remove_values(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Remove from tracebacks the row values that Postgres quotes in its errors."""
    exc_info = event.get("exc_info")
    if exc_info:
        error = sys.exc_info()[1] if exc_info is True else exc_info
        error = error[1] if isinstance(error, tuple) else error
        if isinstance(error, BaseException):
            without_values(error)
    return event


def configure(settings: Logs) -> None:
    """Send log lines from structlog and the standard library to stderr in one format."""
    logging.captureWarnings(True)
    # Our lines contain no thread or process, so do not look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    shared: list[structlog.typing.Processor] = [
        _add_origin,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"default": _formatter(settings, shared)},
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "default",
                    "stream": sys.stderr,
                }
            },
            "root": {"handlers": ["stderr"], "level": settings.level.upper()},
            "loggers": {
                name: {"handlers": [], "propagate": True, "level": level}
                for name, level in LIBRARY_LEVELS.items()
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


def _drop_color_message(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Drop the coloured copy of the message that uvicorn adds to its lines."""
    event.pop("color_message", None)
    return event


def _formatter(settings: Logs, shared: list[structlog.typing.Processor]) -> dict[str, Any]:
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
                exception_formatter=structlog.dev.plain_traceback,  # rich prints local variables
            )
        ]
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(), _drop_color_message],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _remove_values,
            *renderers,
        ],
    }
