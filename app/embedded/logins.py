"""The people whom the demo data knows. Published passwords: for the embedded Postgres only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    name: str
    password: str
    operator: bool


ADA = Login("ada@example.org", "Ada", "ada-runs-before-dawn", operator=True)
GRACE = Login("grace@example.org", "Grace", "grace-swims-at-noon", operator=False)
LOGINS = (ADA, GRACE)
