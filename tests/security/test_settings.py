"""Settings that are missing, invalid, or refused in production."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from app.settings import Settings
from app.settings.environment import REMEDIES, SettingsError
from tests.deploy.composition import development
from tests.jobs.test_command_line import cli

STRONG = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "6f1c2a94d07b58e3f1c2a94d07b58e36",
    "APP_URL": "https://activelog.example",
    "DATABASE_URL": "postgresql://activelog:yT4%40kL@db.example.com/activelog",
    "REDIS_URL": "redis://:qW8%21z@redis.example.com",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "not a sample key",
    "SMTP_URL": "smtp://us:word@smtp.example.com",
    "MAIL_FROM": "ActiveLog <hello@activelog.example>",
}
SECRETS = ("SECRET_KEY", "DATABASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SMTP_URL")

PRIVATE = {"PRIVATE_HOSTS": "db, s3"}
NOT_SETTINGS = {"COMPOSE_PROFILES", "ENVIRONMENT", "GRAFANA_PASSWORD"} | {
    name for name in development() if name.startswith("ALERTS_")
}
"""Variables in development.env that only Compose, Grafana and Alertmanager read."""


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
        {"DATABASE_URL": "postgresql:///activelog?host=db.example.com"},
        {"DATABASE_URL": "postgresql://activelog@localhost,db.example.com/activelog"},
        {"DATABASE_URL": "postgresql://a:yT4@db.example.com/a?sslmode=disable"},
        {"DATABASE_URL": "postgresql://a:yT4@localhost,db.example.com/a?sslmode=disable"},
        {"DATABASE_URL": "postgresql://a:yT4@/a?host=localhost,db.example.com&sslmode=allow"},
        {"DATABASE_URL": "postgresql://a:yT4@/a?host=db.example.com:5433&ssl%6dode=disable"},
        {"MIGRATIONS_DATABASE_URL": "postgresql://owner:yT4@db.example.com/a?sslmode=disable"},
        {"MIGRATIONS_DATABASE_URL": "postgresql://owner:owner@db.example.com/a"},
        {"REDIS_URL": "redis://redis.example.com"},
        {"REDIS_URL": "redis:///0?host=redis.example.com"},
        {"REDIS_URL": "rediss://redis.example.com:6379/0"},
        {"REDIS_URL": "redis+sentinel://one.example.com,two.example.com/activelog"},
        {"REDIS_URL": "redis+sentinel://one.example.com/activelog?sentinel_password=u5"},
        {"DATABASE_URL": "postgresql://a:yT4@db-1.example.com,db-2.example.com:5433/a"},
        {
            "DATABASE_URL": "postgresql://a:yT4@db-1.example.com,db-2.example.com/a"
            "?target_session_attrs=any"
        },
        {"S3_ENDPOINT_URL": "http://s3.example.com"},
        {"S3_ENDPOINT_URL": "http://s3:8333"},
        {"S3_PUBLIC_ENDPOINT_URL": "http://files.example.com"},
        {"MAIL_FROM": "hello@localhost"},
        {"MAIL_FROM": ""},
    ],
)
def test_weak_production_settings_are_refused_with_one_line_that_hides_their_values(
    weak: Mapping[str, str],
) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({**STRONG, **weak})
    assert weak.keys() >= set(raised.value.variables)
    (line,) = str(raised.value).splitlines()
    assert not any(value and value in line for value in weak.values())


@pytest.mark.parametrize("name", sorted(set(development()) - NOT_SETTINGS))
def test_production_refuses_every_value_in_development_env(name: str) -> None:
    value = development()[name]
    settings = {
        "POSTGRES_PASSWORD": {
            "MIGRATIONS_DATABASE_URL": f"postgresql://activelog:{value}@localhost/activelog"
        },
        "APP_POSTGRES_PASSWORD": {
            "DATABASE_URL": f"postgresql://activelog_app:{value}@postgres:5432/activelog"
        },
        "REDIS_PASSWORD": {"REDIS_URL": f"redis://:{value}@valkey:6379/0"},
    }.get(name, {name: value})
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({**STRONG, **settings})
    assert [*settings] == raised.value.variables


def test_all_refused_values_are_listed_at_once_with_one_line_each() -> None:
    refused = {
        "DATABASE_URL": "postgresql://a:yT4@db.example.com/a?sslmode=disable",
        "REDIS_URL": "redis://redis.example.com",
        "S3_ENDPOINT_URL": "http://s3.example.com",
        "S3_PUBLIC_ENDPOINT_URL": "http://files.example.com",
        "MAIL_FROM": "",
        "SECRET_KEY": development()["SECRET_KEY"],
    }
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({**STRONG, **refused})
    assert set(refused) == {line.split()[0] for line in str(raised.value).splitlines()}
    assert len(refused) == len(str(raised.value).splitlines())


async def test_process_with_refused_values_prints_a_line_for_each_and_exits_with_2() -> None:
    refused = {"REDIS_URL": "redis://redis.example.com", "MAIL_FROM": "hello@localhost"}
    done = await cli({**STRONG, "ENVIRONMENT": "Production", **refused}, "migrate")
    assert 2 == done.code
    starts = sorted(line.split()[:2] for line in done.err.splitlines())
    assert [["activelog:", name] for name in sorted(refused)] == starts


@pytest.mark.parametrize(
    "variables", [{"PGHOST": "db.example.com"}, {"PGHOST": "/run/postgresql,db.example.com"}]
)
def test_libpq_variables_count_as_part_of_the_database_url(variables: Mapping[str, str]) -> None:
    open_database = {**STRONG, "DATABASE_URL": "postgresql://activelog@/activelog"}
    Settings.from_env(open_database)
    with pytest.raises(SettingsError, match=r"^DATABASE_URL has a remote host and no password"):
        Settings.from_env({**open_database, **variables})
    with pytest.raises(SettingsError, match=r"^DATABASE_URL has sslmode=disable and a remote host"):
        Settings.from_env({**STRONG, "PGSSLMODE": "disable"})


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
        ("redis://:hidden@one,two/0", "has several hosts"),
        ("redis+sentinel://:hidden@one:26379,two:port/activelog", "is not a valid URL"),
        ("redis+sentinel://:hidden@one,two/", "must have the name of the service"),
        ("redis+sentinel://:hidden@one,two/activelog/zero", "must have the name of the service"),
        ("redis+sentinel://:hidden@one,two/activelog?bogus=1", "has an unknown or invalid"),
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
    assert set(SECRETS) | {"REDIS_URL", "MAIL_FROM"} == {
        line.split()[0] for line in str(raised.value).splitlines()
    }


@pytest.mark.parametrize(
    "accepted",
    [
        {},
        {"APP_URL": "http://127.0.0.1:8080"},
        {"DATABASE_URL": "postgresql://activelog@localhost/activelog"},
        {"DATABASE_URL": "postgresql:///activelog?host=/run/postgresql"},
        {"DATABASE_URL": "postgresql://a@db.example.com/a", "PGPASSFILE": "/run/secrets/pgpass"},
        {"DATABASE_URL": "postgresql://a@db.example.com/a?sslcert=/run/secrets/a.crt"},
        {"AWS_SECRET_ACCESS_KEY": "test", "S3_ENDPOINT_URL": "http://127.0.0.1:8333"},
        {"SMTP_URL": "smtp://us:word@localhost?tls=none"},
        {"SMTP_URL": "smtp://relay.internal?tls=none"},
        {"DATABASE_URL": "postgresql://a:yT4@[::1]:5432/a?sslmode=disable"},
        {"DATABASE_URL": "postgresql://a:yT4@%2Frun%2Fpostgresql/a?sslmode=disable"},
        {
            "DATABASE_URL": "postgresql://a:yT4@db:5432,localhost:5433/a"
            "?sslmode=disable&target_session_attrs=read-write",
            **PRIVATE,
        },
        {
            "DATABASE_URL": "postgresql://a:yT4@db-1.example.com,db-2.example.com/a",
            "PGTARGETSESSIONATTRS": "primary",
        },
        {"REDIS_URL": "redis://localhost"},
        {"REDIS_URL": "redis+sentinel://:yT4@one.example.com,two.example.com:26380/activelog/1"},
        {"REDIS_URL": "rediss+sentinel://:yT4@one.example.com/activelog?sentinel_password=u5"},
        {"REDIS_URL": "redis+sentinel://localhost/activelog"},
        {"REDIS_URL": "unix:///run/valkey.sock"},
        {"S3_ENDPOINT_URL": "http://s3:8333", **PRIVATE},
        {"S3_PUBLIC_ENDPOINT_URL": "http://127.0.0.1:9000"},
    ],
)
def test_production_accepts_passwords_kept_elsewhere_local_and_private_servers_and_an_open_relay(
    accepted: Mapping[str, str],
) -> None:
    Settings.from_env({**STRONG, **accepted})


@pytest.mark.parametrize("environment", ["development", "test"])
def test_development_and_test_accept_an_unencrypted_app_url(environment: str) -> None:
    Settings.from_env({**STRONG, "ENVIRONMENT": environment, "APP_URL": "http://dev.example"})
