"""The settings: frozen sections made from an environment. Nothing else in the project reads one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from dkim import crypto  # type: ignore[import-untyped] # has no stubs

from app.environment import REQUIRED, SettingsError, Variables, split_url

SAMPLE_SECRET = "change-me-to-64-random-characters"
"""The value in .env.example, which production refuses."""
SHORTEST_SECRET = 32


@dataclass(frozen=True, slots=True)
class Http:
    host: str
    port: int
    app_url: str
    session: timedelta


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    pool_size: int
    export_pool_size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    endpoint_url: str | None
    public_endpoint_url: str | None
    region: str
    name: str
    access_key_id: str
    secret_access_key: str
    checksums: str


@dataclass(frozen=True, slots=True)
class Smtp:
    host: str
    port: int
    tls: str
    """`implicit`, `starttls` or `none`."""
    username: str | None
    password: str | None
    connections: int


@dataclass(frozen=True, slots=True)
class Dkim:
    selector: str
    key: bytes = field(repr=False)  # an RSA private key in PEM


class Rate(NamedTuple):
    """At most so many letters in any period of this length."""

    most: int
    period: timedelta


@dataclass(frozen=True, slots=True)
class Mail:
    sender: str
    reply_to: str | None
    dkim: Dkim | None
    rates: Sequence[Rate]
    smtp: Smtp


@dataclass(frozen=True, slots=True)
class Worker:
    slots: int
    metrics_port: int
    """0: not served."""
    shutdown_grace: timedelta
    queue_weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Logs:
    level: str
    format: str


@dataclass(frozen=True, slots=True)
class Settings:
    environment: str
    secret_key: str
    http: Http
    database: Database
    redis_url: str
    bucket: Bucket
    mail: Mail
    worker: Worker
    logs: Logs

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables of DESIGN section 10; `.env.example` lists them with their defaults.

        Raises:
            SettingsError: a variable is missing or wrong.
        """
        env = Variables(environ)
        environment = env.choice("ENVIRONMENT", {"development", "test", "production"}, "production")
        return cls(
            environment=environment,
            secret_key=_secret_key(env, development=environment == "development"),
            http=Http(
                host=env.text("HOST", "127.0.0.1"),
                port=env.number("PORT", 8000, 1, 65535),
                app_url=env.url("APP_URL", {"http", "https"}, "http://127.0.0.1:8000").rstrip("/"),
                session=timedelta(days=env.number("SESSION_DAYS", 30, 1, 366)),
            ),
            database=Database(
                url=env.url("DATABASE_URL", {"postgresql", "postgres"}),
                pool_size=env.number("DATABASE_POOL", 10, 2, 1000),
                export_pool_size=env.number("EXPORT_POOL", 4, 1, 100),
            ),
            redis_url=env.url("REDIS_URL", {"redis", "rediss", "unix"}),
            bucket=_bucket(env),
            mail=Mail(
                sender=env.text("MAIL_FROM", "ActiveLog <hello@localhost>"),
                reply_to=env.optional("MAIL_REPLY_TO"),
                dkim=_dkim(env),
                rates=_mail_rates(env),
                smtp=_smtp(env),
            ),
            worker=Worker(
                slots=env.number("WORKER_SLOTS", 10, 1, 1000),
                metrics_port=env.number("METRICS_PORT", 9100, 0, 65535),
                shutdown_grace=timedelta(seconds=env.number("SHUTDOWN_GRACE", 30, 0, 3600)),
                queue_weights=_queue_weights(env),
            ),
            logs=Logs(
                level=env.choice("LOG_LEVEL", {"debug", "info", "warning", "error"}, "info"),
                format=env.choice(
                    "LOG_FORMAT",
                    {"console", "json"},
                    "console" if environment == "development" else "json",
                ),
            ),
        )


def _secret_key(env: Variables, *, development: bool) -> str:
    secret = env.text("SECRET_KEY", SAMPLE_SECRET if development else REQUIRED)
    if development:
        return secret
    if secret == SAMPLE_SECRET:
        raise SettingsError("SECRET_KEY", "is the sample's: make one with `openssl rand -hex 32`")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError("SECRET_KEY", f"is shorter than {SHORTEST_SECRET} characters")
    return secret


def _bucket(env: Variables) -> Bucket:
    endpoint = env.url("S3_ENDPOINT_URL", {"http", "https"}, None)
    return Bucket(
        endpoint_url=endpoint,
        public_endpoint_url=env.url("S3_PUBLIC_ENDPOINT_URL", {"http", "https"}, endpoint),
        region=env.text("S3_REGION", "us-east-1"),
        name=env.text("S3_BUCKET", "activelog"),
        access_key_id=env.text("AWS_ACCESS_KEY_ID"),
        secret_access_key=env.text("AWS_SECRET_ACCESS_KEY"),
        checksums=env.choice("S3_CHECKSUMS", {"when_required", "when_supported"}, "when_required"),
    )


def _smtp(env: Variables) -> Smtp:
    """`smtp://user:pass@host:587?tls=starttls` or `smtps://host`.

    Without `tls`, an `smtp://` host of this machine is spoken to in plain text and any other with
    STARTTLS, so that a forgotten parameter never sends a password in the clear.
    """
    name, schemes = "SMTP_URL", {"smtp", "smtps"}
    parts = split_url(name, env.url(name, schemes), schemes)
    if not parts.hostname:
        raise SettingsError(name, "names no host")
    query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    tls = query.pop("tls", "none" if local else "starttls")
    if parts.scheme == "smtps":
        tls = "implicit"
    if query or tls not in {"none", "starttls", "implicit"}:
        raise SettingsError(name, "takes one parameter, tls=starttls or tls=none")
    return Smtp(
        host=parts.hostname,
        port=parts.port or (465 if tls == "implicit" else 25 if local else 587),
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        connections=env.number("SMTP_CONNECTIONS", 4, 1, 100),
    )


def _dkim(env: Variables) -> Dkim | None:
    path, selector = env.optional(name := "DKIM_KEY_FILE"), env.optional("DKIM_SELECTOR")
    if path is None and selector is None:
        return None
    if path is None or selector is None:
        raise SettingsError(name if selector else "DKIM_SELECTOR", "is not set: DKIM needs both")
    if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", selector):
        raise SettingsError("DKIM_SELECTOR", "is no name that DNS can hold")
    try:
        key = Path(path).read_bytes().replace(b"\r\n", b"\n")
        crypto.parse_pem_private_key(key)
    except OSError as error:
        raise SettingsError(name, f"cannot be read: {error.strerror}") from None
    except (crypto.UnparsableKeyError, ValueError):
        raise SettingsError(name, "holds no RSA private key in PEM") from None
    return Dkim(selector, key)


def _mail_rates(env: Variables) -> Sequence[Rate]:
    """`10/s,500/h,10000/d`: any of them, each at most once; none: no limit of ours."""
    name, units = "MAIL_RATE", {"s": 1, "m": 60, "h": 3600, "d": 86400}
    limits = [limit.strip() for limit in env.text(name, "").split(",") if limit]
    fine = all(re.fullmatch(r"[1-9]\d{0,5}/[smhd]", limit) for limit in limits)
    if not fine or len({limit[-1] for limit in limits}) < len(limits):
        raise SettingsError(name, "takes limits such as 10/s,500/h,10000/d, one for a unit")
    return [Rate(int(limit[:-2]), timedelta(seconds=units[limit[-1]])) for limit in limits]


def _queue_weights(env: Variables) -> Mapping[str, int]:
    """`critical=6,default=3,low=1`: every queue of ours once, each with a weight from 1 to 1000."""
    name, queues = "QUEUE_WEIGHTS", ("critical", "default", "low")
    text = env.text(name, "critical=6,default=3,low=1")
    pairs = [pair.strip().partition("=") for pair in text.split(",")]
    weights = {queue: weight for queue, _, weight in pairs}
    if len(pairs) != len(queues) or set(weights) != set(queues):
        raise SettingsError(name, f"must give {', '.join(queues)} one weight each")
    if not all(re.fullmatch(r"[1-9]\d{0,2}|1000", weight) for weight in weights.values()):
        raise SettingsError(name, "takes whole numbers from 1 to 1000")
    return {queue: int(weights[queue]) for queue in queues}
