"""Where things are kept: Postgres and the bucket."""

from __future__ import annotations

from dataclasses import dataclass

from app.environment import Variables


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
