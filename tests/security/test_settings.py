"""Settings that are missing, invalid, or refused in production."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from app.settings import Settings
from app.settings.environment import REMEDIES, SettingsError

STRONG = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "6f1c2a94d07b58e3f1c2a94d07b58e36",
    "APP_URL": "https://activelog.example",
    "DATABASE_URL": "postgresql://activelog:yT4%40kL@db.example.com/activelog",
    "REDIS_URL": "redis://redis.example.com",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "not a sample key",
    "SMTP_URL": "smtp://us:word@smtp.example.com",
}
SECRETS = ("SECRET_KEY", "DATABASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SMTP_URL")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("environment", ["", "test", "production"])
def test_no_secret_has_a_default_outside_development(environment: str, name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not set: {re.escape(REMEDIES[name])}$"):
        Settings.from_env({**STRONG, "ENVIRONMENT": environment, name: ""})


@pytest.mark.parametrize(
    "weak",
    [
        {"SECRET_KEY": "change-me-to-64-random-characters"},
        {"SECRET_KEY": "hush"},
        {"SECRET_KEY": "abc" * 20},
        {"APP_URL": "http://activelog.example"},
        {"DATABASE_URL": "postgresql://activelog@db.example.com/activelog"},
        {"DATABASE_URL": "postgresql://activelog:activelog@db.example.com/activelog"},
        {"DATABASE_URL": "postgresql://activelog:secret@db.example.com/activelog"},
        {"AWS_SECRET_ACCESS_KEY": "minioadmin"},
        {"AWS_SECRET_ACCESS_KEY": "minioadmin", "S3_ENDPOINT_URL": "https://s3.example.com"},
        {"SMTP_URL": "smtp://us:word@smtp.example.com?tls=none"},
    ],
)
def test_weak_production_settings_are_refused_with_one_line_that_hides_their_values(
    weak: Mapping[str, str],
) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({**STRONG, **weak})
    assert weak.keys() >= set(raised.value.variables)
    (line,) = str(raised.value).splitlines()
    assert not any(value in line for value in weak.values())


def test_all_missing_and_invalid_settings_are_listed_once() -> None:
    invalid = {
        "SECRET_KEY": "hush",
        "DATABASE_URL": "",
        "REDIS_URL": "http://redis.example.com",
        "AWS_SECRET_ACCESS_KEY": "minioadmin",
        "SMTP_URL": "smtp://us:word@smtp.example.com?tls=none",
        "APP_URL": "http://activelog.example",
        "DKIM_SELECTOR": "mail",
        "PORT": "many",
        "QUEUE_WEIGHTS": "critical=1",
        "RETENTION_JOBS": "0",
    }
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({**STRONG, **invalid})
    named = [line.split()[0] for line in str(raised.value).splitlines()]
    assert {*invalid, "DKIM_KEY_FILE"} - {"DKIM_SELECTOR"} == set(named)
    assert len(named) == len(set(named))


def test_invalid_environment_is_listed_with_invalid_settings_but_without_missing_secrets() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({**STRONG, "ENVIRONMENT": "developement", "SECRET_KEY": "", "PORT": "x"})
    named = [line.split()[0] for line in str(raised.value).splitlines()]
    assert ["ENVIRONMENT", "PORT"] == sorted(named)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://:hidden@127.0.0.1:6379/zero", "must end with a database number"),
        ("redis://:hidden@127.0.0.1:6379/0?bogus=1", "has an unknown or invalid parameter"),
        ("redis://127.0.0.1:port/0", "is not a valid URL"),
    ],
)
def test_redis_url_that_the_client_rejects_is_refused_without_showing_its_password(
    url: str, problem: str
) -> None:
    with pytest.raises(SettingsError, match=f"^REDIS_URL {problem}") as raised:
        Settings.from_env({**STRONG, "REDIS_URL": url})
    assert "hidden" not in str(raised.value)


def test_all_missing_settings_are_listed_for_an_empty_environment() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({})
    assert set(SECRETS) | {"REDIS_URL"} == {
        line.split()[0] for line in str(raised.value).splitlines()
    }


@pytest.mark.parametrize(
    "accepted",
    [
        {},
        {"APP_URL": "http://127.0.0.1:8000"},
        {"DATABASE_URL": "postgresql://activelog@localhost/activelog"},
        {"DATABASE_URL": "postgresql:///activelog?host=/run/postgresql"},
        {"DATABASE_URL": "postgresql://a@db.example.com/a", "PGPASSFILE": "/run/secrets/pgpass"},
        {"DATABASE_URL": "postgresql://a@db.example.com/a?sslcert=/run/secrets/a.crt"},
        {"AWS_SECRET_ACCESS_KEY": "test", "S3_ENDPOINT_URL": "http://127.0.0.1:8333"},
        {"SMTP_URL": "smtp://us:word@localhost?tls=none"},
        {"SMTP_URL": "smtp://relay.internal?tls=none"},
    ],
)
def test_production_accepts_passwords_kept_elsewhere_local_servers_and_a_relay_without_login(
    accepted: Mapping[str, str],
) -> None:
    Settings.from_env({**STRONG, **accepted})


@pytest.mark.parametrize("environment", ["development", "test"])
def test_development_and_test_accept_an_unencrypted_app_url(environment: str) -> None:
    Settings.from_env({**STRONG, "ENVIRONMENT": environment, "APP_URL": "http://dev.example"})
