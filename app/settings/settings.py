"""The settings of a process, and the values that production refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from email.utils import parseaddr
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
from app.settings.mail import DEFAULT_SENDER, Mail, Smtp
from app.settings.sections import (
    Bucket,
    Database,
    Http,
    Logs,
    Redis,
    Retention,
    Worker,
    parse_hosts,
)
from app.settings.urls import postgres_servers, redis_servers

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
DEVELOPMENT_PASSWORD = "development"
DEVELOPMENT_VALUES = {
    "SECRET_KEY": "development-development-development-dev",
    "AWS_ACCESS_KEY_ID": DEVELOPMENT_PASSWORD,
    "AWS_SECRET_ACCESS_KEY": DEVELOPMENT_PASSWORD,
    "APP_URL": "http://127.0.0.1:8000",
    "S3_PUBLIC_ENDPOINT_URL": "http://127.0.0.1:8333",
    "SMTP_URL": "smtp://mailpit:1025?tls=none",
    "MAIL_FROM": "ActiveLog <hello@activelog.localhost>",
}
"""The settings in deploy/development.env, which are public. Its passwords for Postgres and Redis,
which become part of a URL, are `DEVELOPMENT_PASSWORD`."""
PLAIN_SSLMODES = {"disable", "allow"}
"""The modes in which Postgres's clients try a connection without TLS first."""
FROM_DEVELOPMENT = "has a public value from deploy/development.env: choose your own"
OR_PRIVATE = ", or list the host in PRIVATE_HOSTS if its network is private"
SAMPLE_SENDER = "ActiveLog <hello@activelog.example>"
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
    private_hosts: Annotated[frozenset[str], parse_hosts, "PRIVATE_HOSTS"] = frozenset()
    """Hosts that are reached over a private network, such as other containers on this machine.
    Production accepts connections to them without TLS."""

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
    """Yield settings that would let others read our data or sign in with our credentials."""
    private = LOCAL_HOSTS | values.get("PRIVATE_HOSTS", frozenset())
    app = urlsplit(values.get("APP_URL", ""))
    if app.scheme != "https" and app.hostname not in LOCAL_HOSTS:
        yield "APP_URL", "must begin with https:// in production"

    for variable in (
        "DATABASE_URL",
        "MIGRATIONS_DATABASE_URL",
        "ENGINE_DATABASE_URL",
        "EXPORT_DATABASE_URL",
    ):
        if values.get(variable):
            yield from _unsafe_postgres(variable, values[variable], environ, private)
    if "REDIS_URL" in values:
        yield from _unsafe_redis(values["REDIS_URL"])

    store = urlsplit(values.get("S3_ENDPOINT_URL", "https://s3.amazonaws.com"))
    if values.get("AWS_SECRET_ACCESS_KEY") in SAMPLE_KEYS and store.hostname not in LOCAL_HOSTS:
        yield "AWS_SECRET_ACCESS_KEY", "is a well-known sample key: create one of your own"
    if store.scheme == "http" and store.hostname not in private:
        yield "S3_ENDPOINT_URL", f"must begin with https:// in production{OR_PRIVATE}"
    public = urlsplit(values.get("S3_PUBLIC_ENDPOINT_URL", ""))
    if public.scheme == "http" and public.hostname not in LOCAL_HOSTS:
        yield "S3_PUBLIC_ENDPOINT_URL", "must begin with https:// in production"

    smtp: Smtp | None = values.get("SMTP_URL")
    if smtp and smtp.password and smtp.tls == "none" and smtp.host not in LOCAL_HOSTS:
        yield "SMTP_URL", "has a password, which tls=none would send unencrypted: remove tls=none"
    sender = text_of(environ, "MAIL_FROM") or DEFAULT_SENDER
    if parseaddr(sender)[1].lower().endswith(("@localhost", ".localhost")):
        yield "MAIL_FROM", f"is an address on this machine: use one such as {SAMPLE_SENDER}"

    for variable, value in DEVELOPMENT_VALUES.items():
        if text_of(environ, variable).rstrip("/") == value:
            yield variable, FROM_DEVELOPMENT


def _unsafe_postgres(
    variable: str, url: str, environ: Mapping[str, str], private: Set[str | None]
) -> Iterator[tuple[str, str]]:
    server = postgres_servers(url, environ)
    if server.may_find_a_standby:
        yield variable, "names several hosts: add target_session_attrs=read-write"
    if server.hosts - LOCAL_HOSTS:
        elsewhere = text_of(environ, "PGPASSWORD") or text_of(environ, "PGPASSFILE")
        if not (server.password or elsewhere or "sslcert=" in url):
            yield variable, "has a remote host and no password: add one, or set PGPASSFILE"
        if server.password and server.password in {*SAMPLE_PASSWORDS, server.username}:
            yield variable, "has an easily guessed password: choose another"
    if server.hosts - private and server.sslmode in PLAIN_SSLMODES:
        reason = f"has sslmode={server.sslmode} and a remote host: remove sslmode{OR_PRIVATE}"
        yield variable, reason
    if server.password == DEVELOPMENT_PASSWORD:
        yield variable, FROM_DEVELOPMENT


def _unsafe_redis(url: str) -> Iterator[tuple[str, str]]:
    hosts, password = redis_servers(url)
    if not password and hosts - LOCAL_HOSTS:
        yield "REDIS_URL", f"has a remote host and no password: {REMEDIES['REDIS_URL']}"
    if password == DEVELOPMENT_PASSWORD:
        yield "REDIS_URL", FROM_DEVELOPMENT
