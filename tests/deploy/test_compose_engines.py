"""compose.yaml works with all supported engines and Compose versions, and delivers alerts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.embedded.home import ROOT
from tests.deploy.composition import FILE, OUR_SERVICES, composition, development, seconds

OLDEST = re.compile(r"Compose (\d+\.\d+)(?:\.\d+)? or newer")
PUBLISHED = re.compile(r"\$\{(\w+_ADDRESS):-127\.0\.0\.1:(\d+)\}:\2")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TMPFS_OPTIONS = {"size", "mode"}
"""The options that Docker and podman both accept; podman refuses uid= and gid=."""


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return composition(development())


@pytest.mark.parametrize("kind", ["configs", "secrets"])
def test_read_only_services_mount_files_instead_of_inline_content(
    kind: str, composed: dict[str, Any]
) -> None:
    """The engine refuses to copy content into a read-only file system: docker/compose#12031."""
    sources = composed.get(kind, {})
    for name, service in composed["services"].items():
        assert service["read_only"] is True
        for used in service.get(kind, []):
            source = used if isinstance(used, str) else used["source"]
            assert set(sources[source]) == {"file"}, name


def test_s3_server_reads_its_credentials_from_the_environment(composed: dict[str, Any]) -> None:
    s3, api = composed["services"]["s3"], composed["services"]["api"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert s3["environment"][name] == api["environment"][name]
    assert not [argument for argument in s3["command"] if argument.startswith("-s3.config")]


def test_s3_server_closes_its_volumes_at_once_and_is_killed_early(composed: dict[str, Any]) -> None:
    """Its filer may wait for 15 s or much longer, but the volumes have closed by then."""
    s3 = composed["services"]["s3"]
    assert "-volume.preStopSeconds=0" in s3["command"]
    assert 0 < seconds(s3["stop_grace_period"]) < 10


def test_postgres_health_check_uses_tcp(composed: dict[str, Any]) -> None:
    """The temporary server that the image's entrypoint starts listens only on the Unix socket."""
    command = composed["services"]["postgres"]["healthcheck"]["test"]
    assert command[:2] == ["CMD", "pg_isready"]
    assert "--host=127.0.0.1" in command


def test_image_is_built_once_and_never_pulled(composed: dict[str, Any]) -> None:
    services = {name: composed["services"][name] for name in OUR_SERVICES}
    assert {name for name, service in composed["services"].items() if "build" in service} == {
        "migrate"
    }
    assert {service["image"] for service in services.values()} == {"activelog:latest"}
    assert {service["pull_policy"] for service in services.values()} == {"never"}


def test_build_pulls_no_syntax_image() -> None:
    """The Dockerfile uses only the builder's built-in syntax."""
    assert "# syntax=" not in (ROOT / "deploy" / "Dockerfile").read_text()


def test_tmpfs_options_work_with_docker_and_podman(composed: dict[str, Any]) -> None:
    for name, service in composed["services"].items():
        for mount in service.get("tmpfs", []):
            options = mount.partition(":")[2]
            used = {option.partition("=")[0] for option in options.split(",") if option}
            assert used <= TMPFS_OPTIONS, name


def test_health_check_arguments_contain_no_spaces(composed: dict[str, Any]) -> None:
    """podman's API for Docker clients splits the arguments of a health check at spaces."""
    checks = {
        name: service["healthcheck"]["test"]
        for name, service in composed["services"].items()
        if "test" in service["healthcheck"]
    }
    for name, (form, *arguments) in checks.items():
        assert form == "CMD-SHELL" or not any(" " in argument for argument in arguments), name


def test_minimum_compose_version_is_stated_consistently() -> None:
    (oldest,) = OLDEST.findall(FILE.read_text())
    documented = {version for file in DOCUMENTS for version in OLDEST.findall(file.read_text())}
    assert documented == {oldest}
    assert oldest in OLDEST.findall((ROOT / "docs" / "operations.md").read_text())


def test_published_ports_listen_on_loopback_by_default_and_are_configurable() -> None:
    services = yaml.safe_load(FILE.read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    names = [PUBLISHED.fullmatch(port) for port in published]
    assert all(names), published
    assert len({name[1] for name in names if name}) == len(published)


def test_alerts_reach_the_development_inbox(composed: dict[str, Any]) -> None:
    services = composed["services"]
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    (listening,) = services["alertmanager"]["ports"]
    assert alertmanagers["static_configs"] == [
        {"targets": [f"alertmanager:{listening.rpartition(':')[2]}"]}
    ]
    assert services["alertmanager"]["environment"]["ALERTS_SMARTHOST"] == "mailpit:1025"
    for name in ("prometheus", "mailpit"):
        assert set(services["alertmanager"]["networks"]) & set(services[name]["networks"])


def test_alert_receiver_is_optional_and_tls_is_the_default() -> None:
    without = {k: v for k, v in development().items() if not k.startswith("ALERTS_")}
    environment = composition(without)["services"]["alertmanager"]["environment"]
    assert {name: value for name, value in environment.items() if value} == {"ALERTS_TLS": "true"}


def test_alertmanager_reads_the_files_in_deploy_and_gets_their_variables(
    composed: dict[str, Any],
) -> None:
    alertmanager = composed["services"]["alertmanager"]
    mounted = {volume.split(":")[1] for volume in alertmanager["volumes"]}
    _, script = alertmanager["entrypoint"]
    assert {script, str(Path(script).with_name("alertmanager.yml"))} <= mounted
    variables = set(re.findall(r"\$\{(\w+)\}", (ROOT / "deploy" / "alertmanager.yml").read_text()))
    assert variables == set(alertmanager["environment"])
