"""compose.yaml as Docker Compose reads it: anchors merged and variables substituted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from dotenv import dotenv_values

from app.embedded.home import ROOT

FILE = ROOT / "compose.yaml"
DEVELOPMENT = ROOT / "deploy" / "development.env"
OUR_SERVICES = ("migrate", "bucket", "api", "worker")
"""The services that run the image of this project."""

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<operator>[-?])(?P<text>[^}]*))?\}")


class MissingVariable(Exception):
    """A required variable is not set; the message is its name."""


def development() -> dict[str, str]:
    return {name: value or "" for name, value in dotenv_values(DEVELOPMENT).items()}


def variables() -> dict[str, str]:
    """Return the variables in compose.yaml with their defaults. The default `?` means required."""
    found: dict[str, str] = {}
    for variable in _VARIABLE.finditer(FILE.read_text()):
        default = "?" if variable["operator"] == "?" else variable["text"] or ""
        found[variable["name"]] = default
    return found


def composition(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of compose.yaml with these variables.

    Raises:
        MissingVariable: a required variable is not set.
    """

    def value(variable: re.Match[str]) -> str:
        if given := environ.get(variable["name"]):
            return given
        if variable["operator"] == "?":
            raise MissingVariable(variable["name"])
        return variable["text"] or ""

    def substitute(part: Any) -> Any:
        match part:
            case str():
                return _VARIABLE.sub(value, part)
            case list():
                return [substitute(item) for item in part]
            case dict():
                return {key: substitute(item) for key, item in part.items()}
        return part

    loaded: dict[str, Any] = substitute(yaml.safe_load(FILE.read_text()))
    return loaded


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", duration).groups()  # type: ignore[union-attr] # fails the test
    return int(number) * {"s": 1, "m": 60}[unit]
