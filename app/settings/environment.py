"""Variables of an environment, checked as they are read. What they mean stands in app/settings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from dotenv import dotenv_values

T = TypeVar("T")

REQUIRED = object()
THIS_MACHINE = {None, "", "localhost", "127.0.0.1", "::1"}
"""The hosts of URLs that lead nowhere else; None: a socket in the file system."""


REMEDIES = {
    "DATABASE_URL": "for example postgresql://activelog:PASSWORD@db.example.com/activelog",
    "REDIS_URL": "for example redis://:PASSWORD@redis.example.com",
    "SMTP_URL": "for example smtp://user:PASSWORD@smtp.example.com:587?tls=starttls",
    "AWS_ACCESS_KEY_ID": "get it from your S3 provider",
    "AWS_SECRET_ACCESS_KEY": "get it from your S3 provider",
    "SECRET_KEY": "generate one with `openssl rand -hex 32`",
}
"""What helps when a required setting is missing."""


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the variable and never its value."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable


class SettingsErrors(SettingsError):
    """Several settings are missing or wrong: the message has a line for each."""

    def __init__(self, errors: Sequence[SettingsError]) -> None:
        Exception.__init__(self, "\n".join(map(str, errors)))
        self.variable = errors[0].variable


BAD_SETTINGS = 2
"""The exit code of a process whose settings are missing or wrong."""


def complain(error: Exception | str) -> None:
    """Print a failure to stderr, without a traceback; there may be no logs yet."""
    for line in str(error).splitlines():
        print(f"activelog: {line}", file=sys.stderr)  # noqa: T201 # before the logs are set up


def environment_with_dotenv(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Lay the environment over a folder's `.env`; production and tests ignore `.env`."""
    if environ.get("ENVIRONMENT") in {"production", "test"}:
        return dict(environ)
    written = {k: v for k, v in dotenv_values(folder / ".env").items() if v is not None}
    return {**written, **environ}


class Variables:
    """The variables by type. An empty value counts as absent."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def _read(self, name: str, default: T | object, parse: Callable[[str], T]) -> T:
        value = self._environ.get(name, "").strip()
        if value:
            return parse(value)
        if default is REQUIRED:
            raise SettingsError(name, f"is not set: {REMEDIES[name]}")
        return default  # type: ignore[return-value] # REQUIRED was the only other object

    def text(self, name: str, default: object = REQUIRED) -> str:
        return self._read(name, default, str)

    def optional(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def number(self, name: str, default: int, least: int, most: int) -> int:
        def parse(value: str) -> int:
            if not re.fullmatch(r"\d{1,9}", value) or not least <= int(value) <= most:
                raise SettingsError(name, f"must be a whole number from {least} to {most}")
            return int(value)

        return self._read(name, default, parse)

    def choice(self, name: str, choices: set[str], default: str) -> str:
        def parse(value: str) -> str:
            if value.lower() not in choices:
                raise SettingsError(name, f"must be one of {', '.join(sorted(choices))}")
            return value.lower()

        return self._read(name, default, parse)

    def url(self, name: str, schemes: set[str], default: object = REQUIRED) -> str:
        def parse(value: str) -> str:
            split_url(name, value, schemes)
            return value

        return self._read(name, default, parse)


def split_url(name: str, value: str, schemes: set[str]) -> SplitResult:
    likeness = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
    try:
        parts = urlsplit(value)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise SettingsError(name, f"is not a valid URL that begins with {likeness}") from None
    if parts.scheme not in schemes or not port_is_fine or not (parts.netloc or parts.path):
        raise SettingsError(name, f"is not a valid URL that begins with {likeness}")
    return parts
