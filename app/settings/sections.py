"""The sections of the settings: HTTP, stores, worker, retention, logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal, NamedTuple, TypeAlias

from msgspec import Meta

from app.settings.environment import convert
from app.settings.urls import parse_http_url, parse_postgres_url, parse_redis_url

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
PERIODS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": DAY}


class Rate(NamedTuple):
    """A maximum count per period."""

    max_count: int
    period: timedelta


def parse_rate(text: str) -> Rate:
    """Parse a rate such as `10/s` or `500/h`."""
    if not re.fullmatch(r"[1-9]\d{0,5}/[smhd]", text):
        raise ValueError("must be a rate such as 100/s or 6000/m")
    return Rate(int(text[:-2]), PERIODS[text[-1]])


def duration_parser(unit: timedelta, least: int, most: int) -> Callable[[str], timedelta]:
    """Make a parser for durations that are given as whole numbers of a unit."""
    return lambda text: convert(text, Annotated[int, Meta(ge=least, le=most)]) * unit


def parse_contact(text: str) -> str:
    """Check a contact for security.txt: RFC 9116, section 2.5.3, requires https for the web."""
    if not re.fullmatch(r"mailto:[^\s@]+@[^\s@]+|https://\S+", text):
        raise ValueError("must begin with mailto: or https://")
    return text


def parse_hosts(text: str) -> frozenset[str]:
    """Parse `s3,minio.internal`: host names, without ports."""
    hosts = frozenset(host.strip().lower() for host in text.split(","))
    if not all(re.fullmatch(r"[a-z0-9._:-]+", host) for host in hosts):
        raise ValueError("must be host names such as s3,minio.internal")
    return hosts


def parse_queue_weights(text: str) -> Mapping[str, int]:
    """Parse `critical=6,default=3,low=1`: each queue once, with a weight from 1 to 1000."""
    queues = ("critical", "default", "low")
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    weights = {queue: weight for queue, _, weight in pairs}
    if len(pairs) != len(queues) or set(weights) != set(queues):
        raise ValueError(f"must set one weight for each of {', '.join(queues)}")
    if not all(re.fullmatch(r"[1-9]\d{0,2}|1000", weight) for weight in weights.values()):
        raise ValueError("must contain whole numbers from 1 to 1000")
    return {queue: int(weights[queue]) for queue in queues}


def parse_size(text: str) -> int:
    """Parse a size such as `500MB` or `2GB`, in powers of 1000, to bytes."""
    if not re.fullmatch(r"[1-9]\d{0,5}[MG]B", text):
        raise ValueError("must be a size such as 500MB or 2GB")
    return int(text[:-2]) * (1_000_000_000 if text[-2] == "G" else 1_000_000)


DEFAULT_REQUEST_RATE = Rate(6000, PERIODS["m"])
RetentionTime: TypeAlias = Annotated[timedelta, duration_parser(DAY, 1, 3660)]


@dataclass(frozen=True, slots=True)
class Http:
    host: Annotated[str, "HOST"] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535), "PORT"] = 8000
    metrics_port: Annotated[int, Meta(ge=0, le=65535), "API_METRICS_PORT"] = 9101
    """The API's port for metrics; 0 turns it off."""
    app_url: Annotated[str, parse_http_url, "APP_URL"] = "http://127.0.0.1:8000"
    session_lifetime: Annotated[timedelta, duration_parser(DAY, 1, 366), "SESSION_DAYS"] = 30 * DAY
    trusted_proxies: Annotated[int, Meta(ge=0, le=10), "TRUSTED_PROXIES"] = 0
    """How many of our proxies a request passes through. We trust the X-Forwarded-For entries that
    they add."""
    request_rate: Annotated[Rate, parse_rate, "REQUEST_RATE"] = DEFAULT_REQUEST_RATE
    """The request limit per person."""
    security_contact: Annotated[str | None, parse_contact, "SECURITY_CONTACT"] = None
    """Where to report vulnerabilities, as a URI. Default: the address for replies to our emails."""


@dataclass(frozen=True, slots=True)
class Database:
    url: Annotated[str, parse_postgres_url, "DATABASE_URL"]
    migrations_url: Annotated[str | None, parse_postgres_url, "MIGRATIONS_DATABASE_URL"] = field(
        default=None, repr=False
    )
    """The URL of the role that owns the tables. Only `migrate` connects as this role."""
    engine_url: Annotated[str | None, parse_postgres_url, "ENGINE_DATABASE_URL"] = field(
        default=None, repr=False
    )
    """For heartbeats, claims and the like, if PgBouncer has a pool of its own for them."""
    export_url: Annotated[str | None, parse_postgres_url, "EXPORT_DATABASE_URL"] = field(
        default=None, repr=False
    )
    """For exports and downloads, likewise."""
    pool_size: Annotated[int, Meta(ge=2, le=1000), "DATABASE_POOL"] = 10
    export_pool_size: Annotated[int, Meta(ge=1, le=100), "EXPORT_POOL"] = 4


@dataclass(frozen=True, slots=True)
class Redis:
    url: Annotated[str, parse_redis_url, "REDIS_URL"]


@dataclass(frozen=True, slots=True)
class Bucket:
    access_key_id: Annotated[str, "AWS_ACCESS_KEY_ID"]
    secret_access_key: Annotated[str, "AWS_SECRET_ACCESS_KEY"]
    endpoint_url: Annotated[str | None, parse_http_url, "S3_ENDPOINT_URL"] = None
    public_endpoint_url: Annotated[str | None, parse_http_url, "S3_PUBLIC_ENDPOINT_URL"] = None
    """The URL for browsers, if it is not `endpoint_url`."""
    region: Annotated[str, "S3_REGION"] = "us-east-1"
    name: Annotated[str, "S3_BUCKET"] = "activelog"
    checksums: Annotated[Literal["when_required", "when_supported"], "S3_CHECKSUMS"] = (
        "when_required"
    )
    person_storage_bytes: Annotated[int, parse_size, "PERSON_STORAGE"] = 2_000_000_000
    """The maximum size of all of a person's photos."""


@dataclass(frozen=True, slots=True)
class Worker:
    slots: Annotated[int, Meta(ge=1, le=1000), "WORKER_SLOTS"] = 10
    metrics_port: Annotated[int, Meta(ge=0, le=65535), "METRICS_PORT"] = 9100
    """The port for metrics and health checks; 0 turns both off."""
    shutdown_grace: Annotated[timedelta, duration_parser(SECOND, 0, 3600), "SHUTDOWN_GRACE"] = (
        25 * SECOND
    )
    """Kubernetes sends SIGKILL after 30 s by default; by then, all jobs must have been returned."""
    queue_weights: Annotated[Mapping[str, int], parse_queue_weights, "QUEUE_WEIGHTS"] = field(
        default_factory=lambda: {"critical": 6, "default": 3, "low": 1}
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the nightly cleanup keeps things that have ended or been deleted."""

    deleted: Annotated[RetentionTime, "RETENTION_DELETED"] = 30 * DAY
    """Deleted activities, and deleted accounts whose erasure failed."""
    jobs: Annotated[RetentionTime, "RETENTION_JOBS"] = 7 * DAY
    """Jobs that are done or cancelled."""
    dead_letters: Annotated[RetentionTime, "RETENTION_DEAD_LETTERS"] = 90 * DAY
    runs: Annotated[RetentionTime, "RETENTION_RUNS"] = 400 * DAY
    """Runs of schedules."""
    emails: Annotated[RetentionTime, "RETENTION_EMAILS"] = 400 * DAY
    """The delivery ledger. Without its row, an email could be sent a second time."""


@dataclass(frozen=True, slots=True)
class Logs:
    level: Annotated[Literal["debug", "info", "warning", "error"], "LOG_LEVEL"] = "info"
    format: Annotated[Literal["console", "json"], "LOG_FORMAT"] = "json"
