"""What it takes to send a letter: the paper, the way to the server, and the pace."""

from __future__ import annotations

from dataclasses import dataclass

from app.email.compose import Stationery
from app.email.pace import Pace
from app.smtp import Mailer


@dataclass(frozen=True, slots=True)
class Post:
    """Handed to whatever writes letters."""

    stationery: Stationery
    mailer: Mailer
    pace: Pace
