"""Valkey, which speaks Redis's protocol. Losing what it keeps is fine: Postgres holds the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.embedded.answers import first_line
from app.embedded.daemon import Daemon
from app.embedded.ports import LOOPBACK
from app.embedded.wheels import valkey_server


class Valkey(Daemon):
    name = "valkey"

    def choose_ports(self) -> None:
        self.port = self.place.port(6379)

    def usual_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"Valkey": (6379, self.port)}

    def settings(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://{LOOPBACK}:{self.port}/0"}

    def command(self) -> Sequence[str | Path]:
        kept = "yes" if self.place.durable else "no"
        return [
            valkey_server(),
            *("--bind", LOOPBACK),
            *("--port", str(self.port)),
            *("--dir", self.place.folder("valkey")),
            *("--save", ""),
            *(() if self.place.durable else ("--databases", "1024")),  # one a worker of the tests
            *("--appendonly", kept),
            *("--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction"),
        ]

    async def answers(self) -> bool:
        """It answers LOADING, not PONG, while it reads its file."""
        return (await first_line(self.port, b"PING\r\n")).startswith(b"+PONG")
