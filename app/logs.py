"""One log pipeline for our lines, arq's, the HTTP server's and every library's."""

from __future__ import annotations

import logging
import logging.config
import sys
from contextvars import ContextVar
from typing import Any, Protocol
from uuid import UUID

import structlog
from structlog.typing import EventDict

from app.settings import Logs

QUIET = {
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


ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")
"""The attempt that runs in this context: one variable, read only when a line is written."""


def request_id() -> str | None:
    """Of the request that is being answered, or of the one that caused the job that runs."""
    if attempt := ATTEMPT.get(None):
        return attempt.request_id
    return structlog.contextvars.get_contextvars().get("request_id")


def _tell_attempt(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if attempt := ATTEMPT.get(None):
        event["job"], event["kind"] = str(attempt.id), attempt.kind
        event["attempt"], event["request_id"] = attempt.attempt, attempt.request_id
    return event


def configure(settings: Logs) -> None:
    """Route structlog and the standard library's loggers into one stream on stderr."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _tell_attempt,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
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
                for name, level in {**QUIET, "arq": "INFO", "uvicorn": "INFO"}.items()
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


def _formatter(settings: Logs, shared: list[structlog.typing.Processor]) -> dict[str, Any]:
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # others print local variables
            )
        ]
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    }
