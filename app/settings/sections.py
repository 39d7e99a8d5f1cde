"""The sections of the settings: HTTP, stores, worker, retention, logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool

from app.settings.environment import SettingsError, Variables

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Rate(NamedTuple):
    """At most so many in any period of this length."""

    most: int
    period: timedelta


def rate_of(text: str) -> Rate | None:
    """The rate that is written `10/s`, `500/h` and the like; None: it is none."""
    if not re.fullmatch(r"[1-9]\d{0,5}/[smhd]", text):
        return None
    return Rate(int(text[:-2]), timedelta(seconds=UNITS[text[-1]]))


@dataclass(frozen=True, slots=True)
class Http:
    host: str
    port: int
    app_url: str
    session: timedelta
    trusted_proxies: int
    """Proxies of ours that every request passes; what they say of its origin is believed."""
    request_rate: Rate
    """Of one person."""

    @classmethod
    def from_env(cls, env: Variables) -> Http:
        return cls(
            host=env.text("HOST", "127.0.0.1"),
            port=env.number("PORT", 8000, 1, 65535),
            app_url=env.url("APP_URL", {"http", "https"}, "http://127.0.0.1:8000").rstrip("/"),
            session=timedelta(days=env.number("SESSION_DAYS", 30, 1, 366)),
            trusted_proxies=env.number("TRUSTED_PROXIES", 0, 0, 10),
            request_rate=_request_rate(env),
        )


def _request_rate(env: Variables) -> Rate:
    rate = rate_of(env.text(name := "REQUEST_RATE", "6000/m"))
    if rate is None:
        raise SettingsError(name, "must be a limit such as 100/s or 6000/m")
    return rate


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    pool_size: int
    export_pool_size: int

    @classmethod
    def from_env(cls, env: Variables) -> Database:
        return cls(
            url=env.url("DATABASE_URL", {"postgresql", "postgres"}),
            pool_size=env.number("DATABASE_POOL", 10, 2, 1000),
            export_pool_size=env.number("EXPORT_POOL", 4, 1, 100),
        )


def redis_url(env: Variables) -> str:
    """The URL of Redis, in the form that its client reads.

    Raises:
        SettingsError: it is not such a URL, or has a database or a parameter that cannot be.
    """
    name = "REDIS_URL"
    url = env.url(name, {"redis", "rediss", "unix"})
    parts = urlsplit(url)
    if parts.scheme != "unix" and not re.fullmatch(r"/?|/\d{1,9}", parts.path):
        raise SettingsError(name, "must end with a database number such as /0, or without one")
    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call] # its own
    except (TypeError, ValueError):
        raise SettingsError(name, "has an unknown parameter") from None
    return url


@dataclass(frozen=True, slots=True)
class Bucket:
    endpoint_url: str | None
    public_endpoint_url: str | None
    region: str
    name: str
    access_key_id: str
    secret_access_key: str
    checksums: str

    @classmethod
    def from_env(cls, env: Variables) -> Bucket:
        endpoint = env.url("S3_ENDPOINT_URL", {"http", "https"}, None)
        return cls(
            endpoint_url=endpoint,
            public_endpoint_url=env.url("S3_PUBLIC_ENDPOINT_URL", {"http", "https"}, endpoint),
            region=env.text("S3_REGION", "us-east-1"),
            name=env.text("S3_BUCKET", "activelog"),
            access_key_id=env.text("AWS_ACCESS_KEY_ID"),
            secret_access_key=env.text("AWS_SECRET_ACCESS_KEY"),
            checksums=env.choice(
                "S3_CHECKSUMS", {"when_required", "when_supported"}, "when_required"
            ),
        )


@dataclass(frozen=True, slots=True)
class Worker:
    slots: int
    metrics_port: int
    """0: not served."""
    shutdown_grace: timedelta
    queue_weights: Mapping[str, int]

    @classmethod
    def from_env(cls, env: Variables) -> Worker:
        return cls(
            slots=env.number("WORKER_SLOTS", 10, 1, 1000),
            metrics_port=env.number("METRICS_PORT", 9100, 0, 65535),
            shutdown_grace=timedelta(seconds=env.number("SHUTDOWN_GRACE", 30, 0, 3600)),
            queue_weights=_queue_weights(env),
        )


def _queue_weights(env: Variables) -> Mapping[str, int]:
    """`critical=6,default=3,low=1`: every queue of ours once, each with a weight from 1 to 1000."""
    name, queues = "QUEUE_WEIGHTS", ("critical", "default", "low")
    text = env.text(name, "critical=6,default=3,low=1")
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    weights = {queue: weight for queue, _, weight in pairs}
    if len(pairs) != len(queues) or set(weights) != set(queues):
        raise SettingsError(name, f"must set one weight for each of {', '.join(queues)}")
    if not all(re.fullmatch(r"[1-9]\d{0,2}|1000", weight) for weight in weights.values()):
        raise SettingsError(name, "must contain whole numbers from 1 to 1000")
    return {queue: int(weights[queue]) for queue in queues}


@dataclass(frozen=True, slots=True)
class Retention:
    """From when something ended or was deleted until the nightly cleanup removes it."""

    deleted: timedelta
    """Activities; and accounts, should the job that erases them have died."""
    jobs: timedelta
    dead_letters: timedelta
    runs: timedelta
    """Of schedules."""
    emails: timedelta
    """Records of deliveries: without one, an email could go out again on the same unique key."""

    @classmethod
    def from_env(cls, env: Variables) -> Retention:
        def days(name: str, default: int) -> timedelta:
            return timedelta(days=env.number(name, default, 1, 3660))

        return cls(
            deleted=days("RETENTION_DELETED", 30),
            jobs=days("RETENTION_JOBS", 7),
            dead_letters=days("RETENTION_DEAD_LETTERS", 90),
            runs=days("RETENTION_RUNS", 400),
            emails=days("RETENTION_EMAILS", 400),
        )


@dataclass(frozen=True, slots=True)
class Logs:
    level: str
    format: str

    @classmethod
    def from_env(cls, env: Variables, *, development: bool) -> Logs:
        default = "console" if development else "json"
        return cls(
            level=env.choice("LOG_LEVEL", {"debug", "info", "warning", "error"}, "info"),
            format=env.choice("LOG_FORMAT", {"console", "json"}, default),
        )
