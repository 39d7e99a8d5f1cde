"""Where things are kept: Postgres and the bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool

from app.environment import SettingsError, Variables


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
        raise SettingsError(
            name, "must end with the number of a database, such as /0, or with none"
        )
    try:
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call] # its own
    except (TypeError, ValueError):
        raise SettingsError(name, "has a parameter that the client does not know") from None
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
