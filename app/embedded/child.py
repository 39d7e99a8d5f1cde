"""The programs of the project itself that `just up` runs beside the servers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.embedded.answers import http_status
from app.embedded.daemon import Daemon, Place
from app.embedded.register import ROOT

MARGIN = 5.0
"""Seconds beyond its own grace that a child gets before it is killed."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A program and where it answers; `{PORT}` and the like come from the variables it is given."""

    name: str
    arguments: tuple[str, ...]
    """What follows `python` on its command line."""
    ready_url: str | None = None
    """None: it runs once, to its end."""


class Child(Daemon):
    within = 60.0
    attempts = 1  # other processes already know its port

    def __init__(
        self,
        spec: ChildSpec,
        place: Place,
        variables: Mapping[str, str],
        show: Callable[[str], None],
    ) -> None:
        super().__init__(place, show)
        self.name = spec.name
        self.grace = grace(variables) + MARGIN
        self._spec = spec
        self._variables = variables
        self._ready_url = (spec.ready_url or "").format_map(variables)
        self.port = urlsplit(self._ready_url).port or 0

    def working_folder(self) -> Path:
        return ROOT

    def environment(self) -> Mapping[str, str]:
        return {**self._variables, "PYTHONUNBUFFERED": "1"}

    def command(self) -> Sequence[str]:
        return [sys.executable, *self._spec.arguments]

    async def answers(self) -> bool:
        return await http_status(self._ready_url) == 200

    async def run(self) -> None:
        """To its end, for a child that runs once.

        Raises:
            DidNotStart: it ended with another code than 0.
        """
        try:
            await self.spawn()
            if code := await self.wait():
                raise self._failure(code)
        finally:
            await self.stop()


def grace(variables: Mapping[str, str]) -> float:
    """SHUTDOWN_GRACE in seconds; a value that the program will refuse itself counts as absent."""
    text = variables.get("SHUTDOWN_GRACE", "")
    return float(text) if text.isdigit() else 30.0
