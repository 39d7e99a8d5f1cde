"""How much is logged, and in which form."""

from __future__ import annotations

from dataclasses import dataclass

from app.environment import Variables


@dataclass(frozen=True, slots=True)
class Logs:
    level: str
    format: str

    @classmethod
    def from_env(cls, env: Variables, *, development: bool) -> Logs:
        default = "console" if development else "json"
        return cls(
            level=env.choice("LOG_LEVEL", {"debug", "info", "warning", "error"}, "info"),
            format=env.choice("LOG_FORMAT", {"console", "json"}, default),
        )
