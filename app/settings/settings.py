"""The settings of a process, and the values that production refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from app.settings.environment import (
    LOCAL_HOSTS,
    REMEDIES,
    SettingsError,
    build,
    read_values,
    text_of,
)
from app.settings.mail import Mail, Smtp
from app.settings.sections import Bucket, Database, Http, Logs, Redis, Retention, Worker

SAMPLE_SECRET = "change-me-to-64-random-characters"
"""The value in .env.example, which only development accepts."""
MIN_SECRET_CHARACTERS = 32
MIN_DIFFERENT_CHARACTERS = 8
"""The chance of fewer in 32 random hexadecimal digits is about one in thirty million."""
SAMPLE_KEYS = {
    "activelog-secret",
    "minioadmin",
    "password",
    "secret",
    "test",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
"""The keys of the embedded bucket, the default keys of other stores, and Amazon's example."""
SAMPLE_PASSWORDS = {"activelog", "changeme", "change-me", "password", "postgres", "secret"}
Environment: TypeAlias = Literal["development", "test", "production"]
DEVELOPMENT_DEFAULTS = {"SECRET_KEY": SAMPLE_SECRET, "LOG_FORMAT": "console"}


@dataclass(frozen=True, slots=True)
class Settings:
    secret_key: Annotated[str, "SECRET_KEY"]
    http: Http
    database: Database
    redis: Redis
    bucket: Bucket
    mail: Mail
    worker: Worker
    retention: Retention
    logs: Logs
    environment: Annotated[Environment, "ENVIRONMENT"] = "production"

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read all variables; `.env.example` lists them.

        If ENVIRONMENT is misspelled, report only what is invalid in every environment.

        Raises:
            SettingsError: variables are missing, invalid, or unsafe outside development.
        """
        environment = text_of(environ, "ENVIRONMENT").lower() or "production"
        strict = environment in {"test", "production"}
        if not strict:
            defaults = {k: v for k, v in DEVELOPMENT_DEFAULTS.items() if not text_of(environ, k)}
            environ = {**environ, **defaults}
        problems: dict[str, str] = {}
        values = read_values(cls, environ, problems)
        problems |= _unpaired_dkim(environ)
        if strict:
            problems |= _weak_secret(values.get("SECRET_KEY"))
        if environment == "production":
            problems |= _unsafe_in_production(values, environ)
        if problems:
            raise SettingsError(problems)
        return build(cls, values)


def _unpaired_dkim(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    missing = [name for name in ("DKIM_KEY_FILE", "DKIM_SELECTOR") if not text_of(environ, name)]
    if len(missing) == 1:
        yield missing[0], "is not set: DKIM needs DKIM_KEY_FILE and DKIM_SELECTOR"


def _weak_secret(secret: str | None) -> Iterator[tuple[str, str]]:
    if secret is None:
        return
    if secret == SAMPLE_SECRET:
        problem = "is the sample value from .env.example"
    elif len(secret) < MIN_SECRET_CHARACTERS:
        problem = f"is shorter than {MIN_SECRET_CHARACTERS} characters"
    elif len(set(secret)) < MIN_DIFFERENT_CHARACTERS:
        problem = f"has fewer than {MIN_DIFFERENT_CHARACTERS} different characters"
    else:
        return
    yield "SECRET_KEY", f"{problem}: {REMEDIES['SECRET_KEY']}"


def _unsafe_in_production(
    values: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield settings that would let others read our passwords or sign in with our credentials."""
    app = urlsplit(values.get("APP_URL", ""))
    if app.scheme != "https" and app.hostname not in LOCAL_HOSTS:
        yield "APP_URL", "must begin with https:// in production"

    database = urlsplit(values.get("DATABASE_URL", ""))
    if database.hostname not in LOCAL_HOSTS:
        elsewhere = text_of(environ, "PGPASSWORD") or text_of(environ, "PGPASSFILE")
        if not (database.password or elsewhere or "sslcert=" in database.query):
            yield "DATABASE_URL", "has a remote host and no password: add one, or set PGPASSFILE"
        if database.password and database.password in {*SAMPLE_PASSWORDS, database.username}:
            yield "DATABASE_URL", "has an easily guessed password: choose another"

    store = urlsplit(values.get("S3_ENDPOINT_URL", "https://s3.amazonaws.com"))
    if values.get("AWS_SECRET_ACCESS_KEY") in SAMPLE_KEYS and store.hostname not in LOCAL_HOSTS:
        yield "AWS_SECRET_ACCESS_KEY", "is a well-known sample key: create one of your own"

    smtp: Smtp | None = values.get("SMTP_URL")
    if smtp and smtp.password and smtp.tls == "none" and smtp.host not in LOCAL_HOSTS:
        yield "SMTP_URL", "has a password, which tls=none would send unencrypted: remove tls=none"
