"""The one table that `just up` prints when everything answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from app.embedded.logins import LOGINS
from app.embedded.ports import LOOPBACK


def table(variables: Mapping[str, str], *, demo: bool) -> str:
    app = f"http://{LOOPBACK}:{variables['PORT']}"
    rows = [
        ("API", f"{app}/api/v1"),
        ("OpenAPI", f"{app}/schema"),
        ("Pages", f"{app}/"),
        ("Ops", f"{app}/ops (for the operator)"),
        ("Inbox", variables.get("INBOX_URL", "")),
        ("Metrics", f"{app}/metrics"),
        ("", f"http://{LOOPBACK}:{variables['METRICS_PORT']}/metrics (worker)"),
        ("Postgres", without_password(variables.get("DATABASE_URL", ""))),
        ("Redis", without_password(variables.get("REDIS_URL", ""))),
        ("S3", without_password(variables.get("S3_ENDPOINT_URL", ""))),
        ("SMTP", without_password(variables.get("SMTP_URL", ""))),
    ]
    if demo:
        rows += [(_role(one.operator), f"{one.email}  {one.password}") for one in LOGINS]
    return _aligned([row for row in rows if row[1]])


def lines_of_moved_ports(all_ports: Iterable[Mapping[str, tuple[int, int]]]) -> list[str]:
    """A line for each server that does not listen on its usual port."""
    return [
        f"port {usual} is taken: {name} listens on {port} instead"
        for ports in all_ports
        for name, (usual, port) in ports.items()
        if port != usual
    ]


def without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(
        parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}")
    )


def _role(operator: bool) -> str:
    return "Operator" if operator else "Person"


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"  {label:<{width}}  {value}" for label, value in rows)
