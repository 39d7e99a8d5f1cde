"""The SMTP inbox as a server of the family: a process of its own (see app/embedded/inbox)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.embedded.answers import first_line, http_status
from app.embedded.daemon import Daemon
from app.embedded.ports import LOOPBACK
from app.embedded.register import ROOT


class Smtp(Daemon):
    name = "inbox"

    def choose_ports(self) -> None:
        self.port = self.place.port(1025)
        self._web = self.place.port(8025)

    def usual_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"the SMTP inbox": (1025, self.port), "the inbox's page": (8025, self._web)}

    def settings(self) -> dict[str, str]:
        return {
            "SMTP_URL": f"smtp://{LOOPBACK}:{self.port}",
            "INBOX_URL": f"http://{LOOPBACK}:{self._web}",
            "INBOX_FOLDER": str(self.place.folder("inbox")),
        }

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def command(self) -> Sequence[str | Path]:
        program = [sys.executable, "-m", "app.embedded.inbox"]
        return [*program, self.place.folder("inbox"), str(self.port), str(self._web)]

    async def answers(self) -> bool:
        greeting = await first_line(self.port)
        return greeting.startswith(b"220") and (
            await http_status(f"http://{LOOPBACK}:{self._web}/letters") == 200
        )
