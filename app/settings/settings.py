"""The settings of a process, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.settings.environment import (
    REMEDIES,
    REQUIRED,
    THIS_MACHINE,
    SettingsError,
    SettingsErrors,
    Variables,
)
from app.settings.mail import Mail, Smtp
from app.settings.sections import Bucket, Database, Http, Logs, Retention, Worker, redis_url

SAMPLE_KEYS = {
    "activelog-secret",
    "minioadmin",
    "password",
    "secret",
    "test",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
"""Of the embedded bucket, of other stores as they come, and of Amazon's documentation."""
SAMPLE_PASSWORDS = {"activelog", "changeme", "change-me", "password", "postgres", "secret"}


def refuse_plain_app(app_url: str) -> None:
    """
    Raises:
        SettingsError: passwords and tokens would go over a network that others can read.
    """
    parts = urlsplit(app_url)
    if parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
        raise SettingsError("APP_URL", "must begin with https:// in production")


def refuse_open_database(url: str, env: Variables) -> None:
    """
    Raises:
        SettingsError: whoever reaches the server can be us.
    """
    parts = urlsplit(url)
    if parts.hostname in THIS_MACHINE:
        return
    elsewhere = env.optional("PGPASSWORD") or env.optional("PGPASSFILE")
    if not parts.password and not elsewhere and "sslcert=" not in parts.query:
        raise SettingsError(
            "DATABASE_URL", "has a remote host and no password: add one, or set PGPASSFILE"
        )
    if parts.password and parts.password in {*SAMPLE_PASSWORDS, parts.username}:
        raise SettingsError("DATABASE_URL", "has an easily guessed password: choose another")


def refuse_sample_keys(bucket: Bucket) -> None:
    """
    Raises:
        SettingsError: the key is in a manual.
    """
    host = urlsplit(bucket.endpoint_url).hostname if bucket.endpoint_url else "s3.amazonaws.com"
    if bucket.secret_access_key in SAMPLE_KEYS and host not in THIS_MACHINE:
        raise SettingsError(
            "AWS_SECRET_ACCESS_KEY", "is a well-known sample key: create one of your own"
        )


def refuse_told_password(smtp: Smtp) -> None:
    """
    Raises:
        SettingsError: the password would go over the network in the clear.
    """
    if smtp.password and smtp.tls == "none" and smtp.host not in THIS_MACHINE:
        raise SettingsError(
            "SMTP_URL", "has a password, which tls=none would send unencrypted: remove tls=none"
        )


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
