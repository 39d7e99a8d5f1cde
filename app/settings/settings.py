"""The settings of a process, section by section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.environment import REQUIRED, SettingsError, Variables
from app.settings.http import Http
from app.settings.logs import Logs
from app.settings.mail import Mail
from app.settings.production import (
    refuse_open_database,
    refuse_plain_app,
    refuse_sample_keys,
    refuse_told_password,
)
from app.settings.retention import Retention
from app.settings.stores import Bucket, Database
from app.settings.worker import Worker

SAMPLE_SECRET = "change-me-to-64-random-characters"
"""The value in .env.example, which production refuses."""
SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 8
"""Different ones. Of 32 random hexadecimal digits, fewer are so once in thirty million times."""


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
    retention: Retention
    logs: Logs

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables of DESIGN section 10.

        Raises:
            SettingsError: a variable is missing or wrong, or too weak for production.
        """
        env = Variables(environ)
        environment = env.choice("ENVIRONMENT", {"development", "test", "production"}, "production")
        development = environment == "development"
        settings = cls(
            environment=environment,
            secret_key=_secret_key(env, development=development),
            http=Http.from_env(env),
            database=Database.from_env(env),
            redis_url=env.url("REDIS_URL", {"redis", "rediss", "unix"}),
            bucket=Bucket.from_env(env),
            mail=Mail.from_env(env),
            worker=Worker.from_env(env),
            retention=Retention.from_env(env),
            logs=Logs.from_env(env, development=development),
        )
        if environment == "production":
            refuse_plain_app(settings.http.app_url)
            refuse_open_database(settings.database.url, env)
            refuse_sample_keys(settings.bucket)
            refuse_told_password(settings.mail.smtp)
        return settings


def _secret_key(env: Variables, *, development: bool) -> str:
    secret = env.text("SECRET_KEY", SAMPLE_SECRET if development else REQUIRED)
    if development:
        return secret
    if secret == SAMPLE_SECRET:
        raise SettingsError("SECRET_KEY", "is the sample's: make one with `openssl rand -hex 32`")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError("SECRET_KEY", f"is shorter than {SHORTEST_SECRET} characters")
    if len(set(secret)) < FEWEST_CHARACTERS:
        raise SettingsError(
            "SECRET_KEY", "repeats a few characters: `openssl rand -hex 32` does not"
        )
    return secret
