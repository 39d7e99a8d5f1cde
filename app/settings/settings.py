"""The settings of a process, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.environment import REMEDIES, REQUIRED, SettingsError, SettingsErrors, Variables
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
from app.settings.stores import Bucket, Database, redis_url
from app.settings.worker import Worker

SAMPLE_SECRET = "change-me-to-64-random-characters"
"""The value in .env.example, which production refuses."""
SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 8
"""Different ones. Of 32 random hexadecimal digits, fewer are so once in thirty million times."""


NO_DKIM = {"DKIM_KEY_FILE": "", "DKIM_SELECTOR": ""}
STAND_INS = {
    "ENVIRONMENT": {"ENVIRONMENT": "development"},  # what is wrong there is wrong anywhere
    "SECRET_KEY": {"SECRET_KEY": "0123456789abcdef0123456789abcdef"},
    "APP_URL": {"APP_URL": "https://activelog.example"},
    "DATABASE_URL": {"DATABASE_URL": "postgresql://activelog:PASSWORD@db.example.com/activelog"},
    "REDIS_URL": {"REDIS_URL": "redis://redis.example.com"},
    "SMTP_URL": {"SMTP_URL": "smtp://smtp.example.com"},
    "AWS_ACCESS_KEY_ID": {"AWS_ACCESS_KEY_ID": "stand-in"},
    "AWS_SECRET_ACCESS_KEY": {"AWS_SECRET_ACCESS_KEY": "stand-in"},
    "DKIM_KEY_FILE": NO_DKIM,
    "DKIM_SELECTOR": NO_DKIM,
}
"""Placeholders for settings that are reported already, so that the rest can be checked. A setting
without one is read as if it were not set."""


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
        """Read all variables; `.env.example` lists them.

        Raises:
            SettingsError: variables are missing or wrong, or too weak for production. Its message
                has a line for each.
        """
        if errors := cls._errors(environ):
            raise errors[0] if len(errors) == 1 else SettingsErrors(errors)
        return cls._read(Variables(environ))

    @classmethod
    def _errors(cls, environ: Mapping[str, str]) -> Sequence[SettingsError]:
        """Collect all errors: replace each bad setting by a placeholder and read again."""
        found: dict[str, SettingsError] = {}
        while True:
            try:
                cls._read(Variables(environ))
            except SettingsError as error:
                if error.variable in found:
                    return list(found.values())
                found[error.variable] = error
                environ = {**environ, **STAND_INS.get(error.variable, {error.variable: ""})}
            else:
                return list(found.values())

    @classmethod
    def _read(cls, env: Variables) -> Settings:
        """
        Raises:
            SettingsError: this variable is missing or wrong, maybe among others.
        """
        environment = env.choice("ENVIRONMENT", {"development", "test", "production"}, "production")
        development = environment == "development"
        settings = cls(
            environment=environment,
            secret_key=_secret_key(env, development=development),
            http=Http.from_env(env),
            database=Database.from_env(env),
            redis_url=redis_url(env),
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
        raise SettingsError(
            "SECRET_KEY", f"is the sample value of .env.example: {REMEDIES['SECRET_KEY']}"
        )
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            "SECRET_KEY", f"is shorter than {SHORTEST_SECRET} characters: {REMEDIES['SECRET_KEY']}"
        )
    if len(set(secret)) < FEWEST_CHARACTERS:
        raise SettingsError("SECRET_KEY", f"repeats a few characters: {REMEDIES['SECRET_KEY']}")
    return secret
