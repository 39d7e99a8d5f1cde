"""compose.yaml is valid, fits the settings, and does what its comments promise.

No container is started here. Where Docker Compose is installed, a test makes it read the file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.embedded.home import ROOT
from app.settings import Settings
from app.settings.environment import SettingsError
from tests.deploy.composition import (
    DEVELOPMENT,
    FILE,
    OUR_SERVICES,
    MissingVariable,
    composition,
    development,
    seconds,
    variables,
)  # fmt: skip

PLUGINS = "/usr/libexec/docker/cli-plugins"
COMPOSE = shutil.which("docker-compose", path=f"{os.environ['PATH']}:{PLUGINS}")
LIBPQ_VARIABLES = {"PGPASSWORD", "PGPASSFILE", "PGHOST", "PGSSLMODE", "PGTARGETSESSIONATTRS"}
"""Variables for what DATABASE_URL lacks. In compose.yaml, it lacks nothing that matters."""
OWNER = {"MIGRATIONS_DATABASE_URL"}
"""What only `migrate` gets."""
SECRETS = {
    "SECRET_KEY",
    "POSTGRES_PASSWORD",
    "APP_POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "GRAFANA_PASSWORD",
}
ONE_OFF = {"migrate", "bucket"}
PRODUCTION = {
    "SECRET_KEY": "a key for the tests, with more than 32 characters",
    "POSTGRES_PASSWORD": "a" * 64,
    "APP_POSTGRES_PASSWORD": "e" * 64,
    "REDIS_PASSWORD": "b" * 64,
    "AWS_ACCESS_KEY_ID": "activelog",
    "AWS_SECRET_ACCESS_KEY": "c" * 64,
    "GRAFANA_PASSWORD": "d" * 32,
    "APP_URL": "https://activelog.example",
    "S3_PUBLIC_ENDPOINT_URL": "https://files.activelog.example",
    "SMTP_URL": "smtp://user:pass@smtp.example.com:587?tls=starttls",
    "MAIL_FROM": "ActiveLog <hello@activelog.example>",
}


class RecordingEnvironment(Mapping[str, str]):
    """An environment that records which variables were read."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


@pytest.fixture(params=[development(), PRODUCTION], ids=["development", "production"])
def composed(request: pytest.FixtureRequest) -> dict[str, Any]:
    return composition(request.param)


def test_compose_yaml_matches_the_compose_schema(tmp_path: Path) -> None:
    resolved = tmp_path / "compose.yaml"
    resolved.write_text(yaml.safe_dump(composition(development())))
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(FILE), str(resolved)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    COMPOSE is None and "CI" not in os.environ, reason="docker-compose is not installed"
)
@pytest.mark.parametrize("environ", [development(), PRODUCTION], ids=["development", "production"])
def test_docker_compose_reads_the_file_as_these_tests_do(environ: dict[str, str]) -> None:
    assert COMPOSE is not None
    done = subprocess.run(
        [COMPOSE, "--env-file", "/dev/null", "--profile", "*", "config", "--format", "json"],
        cwd=ROOT, env=environ, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read, ours = json.loads(done.stdout)["services"], composition(environ)["services"]
    assert set(read) == set(ours)
    for name in OUR_SERVICES:
        assert read[name]["environment"] == ours[name]["environment"]


def test_settings_accept_each_services_environment_and_every_setting_is_in_it(
    composed: dict[str, Any],
) -> None:
    for name in OUR_SERVICES:
        environ = RecordingEnvironment(composed["services"][name]["environment"])
        settings = Settings.from_env(environ)
        unset = LIBPQ_VARIABLES if name == "migrate" else LIBPQ_VARIABLES | OWNER
        assert environ.names - unset == set(environ)
        assert settings.http.host == "0.0.0.0"  # noqa: S104 # in a container, on its own network


def test_env_example_and_compose_yaml_have_the_same_settings() -> None:
    sample = set(re.findall(r"^#([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    environment = composition(development())["services"]["migrate"]["environment"]
    assert sample == set(environment)


@pytest.mark.parametrize("name", [name for name, default in variables().items() if default == "?"])
def test_missing_required_variable_is_named(name: str) -> None:
    without = {key: value for key, value in PRODUCTION.items() if key != name}
    with pytest.raises(MissingVariable, match=name):
        composition(without)


def test_secrets_have_no_default() -> None:
    assert {name for name in SECRETS if variables()[name] != "?"} == set()
    assert set(PRODUCTION) == {name for name, default in variables().items() if default == "?"}


def test_production_refuses_a_short_secret_key_and_compose_yaml_uses_all_of_development_env() -> (
    None
):
    with_short_key = {**development(), "ENVIRONMENT": "production", "SECRET_KEY": "development"}
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        Settings.from_env(composition(with_short_key)["services"]["api"]["environment"])
    assert set(development()) - {"COMPOSE_PROFILES"} <= set(variables())
    assert DEVELOPMENT.name not in (ROOT / ".gitignore").read_text()


def test_stop_periods_exceed_the_shutdown_grace_period_by_at_least_10_s(
    composed: dict[str, Any],
) -> None:
    for name in ("api", "worker"):
        service = composed["services"][name]
        grace = Settings.from_env(service["environment"]).worker.shutdown_grace.total_seconds()
        assert seconds(service["stop_grace_period"]) >= grace + 10


def test_workers_can_be_scaled_and_prometheus_scrapes_all_of_them(composed: dict[str, Any]) -> None:
    worker = composed["services"]["worker"]
    assert not {"ports", "container_name", "hostname", "volumes"} & set(worker)
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    places = {
        job["job_name"]: (sd["names"], sd["port"])
        for job in scraped
        for sd in job["dns_sd_configs"]
    }
    settings = Settings.from_env(worker["environment"])
    assert places == {
        "activelog-api": (["api"], settings.http.metrics_port),
        "activelog-worker": (["worker"], settings.worker.metrics_port),
    }


def test_number_of_workers_is_set_by_a_variable() -> None:
    """`--scale` would affect only one `up`: the next deploy's `up` would stop the extra workers."""
    replicas = [
        composition({**PRODUCTION, **wanted})["services"]["worker"]["deploy"]["replicas"]
        for wanted in ({}, {"WORKERS": "4"})
    ]
    assert replicas == ["1", "4"]


def test_every_service_is_confined(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in {"0", "root"}, name
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        assert not service["image"].endswith(":latest") or name in OUR_SERVICES, name


def test_long_running_services_restart_and_have_health_checks(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        if name in ONE_OFF:
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name


def test_one_off_services_are_retried(composed: dict[str, Any]) -> None:
    """Compose waits for the last attempt before it starts dependent services."""
    for name in ONE_OFF:
        assert re.fullmatch(r"on-failure:[1-9]\d*", composed["services"][name]["restart"]), name


def test_schema_is_migrated_before_it_is_used(composed: dict[str, Any]) -> None:
    services = composed["services"]
    for name in ("api", "worker"):
        assert services[name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }
        assert services[name]["image"] == services["migrate"]["image"]


def test_application_gets_no_password_of_the_owner_of_the_tables(composed: dict[str, Any]) -> None:
    services = composed["services"]
    owner = services["postgres"]["environment"]["POSTGRES_USER"]
    database = Settings.from_env(services["migrate"]["environment"]).database
    assert database.migrations_url is not None
    assert f"//{owner}:" in database.migrations_url
    assert f"//{owner}:" not in database.url
    for name in ("api", "worker", "bucket"):
        assert database.migrations_url not in services[name]["environment"].values()
        assert database.url == services[name]["environment"]["DATABASE_URL"]


def test_only_the_s3_port_of_seaweedfs_is_on_a_network_and_only_its_users_share_that(
    composed: dict[str, Any],
) -> None:
    services = composed["services"]
    options = set(services["s3"]["command"])
    assert {"-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0", "-disableHttp=true"} <= options
    (network,) = services["s3"]["networks"]
    on_it = {name for name, service in services.items() if network in service["networks"]}
    assert on_it == {"s3", "api", "worker", "bucket"}


def test_internal_services_cannot_be_reached_from_outside(composed: dict[str, Any]) -> None:
    assert composed["networks"]["inside"]["internal"] is True
    for name in ("postgres", "valkey"):
        assert composed["services"][name]["networks"] == ["inside"]
        assert "ports" not in composed["services"][name]


def test_mounted_files_exist_and_are_read_only(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), name
                assert volume.endswith(":ro"), name
            else:
                assert source in composed["volumes"], name
