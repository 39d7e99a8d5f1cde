"""Console output for `just up`: labelled lines and the table of addresses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from app.embedded.application import DEMO_ACCOUNTS, DemoAccount
from app.embedded.home import is_disk_full
from app.embedded.ports import LOOPBACK

LABEL_WIDTH = 8
COLOURS = {"api": 36, "worker": 35, "migrate": 33, "demo": 33, "up": 32}
OTHER_COLOUR = 34


def say(line: str) -> None:
    """Print a message labelled `up`."""
    print_line("up", line)


def printer_for(name: str) -> Callable[[str], None]:
    """Return a function that prints lines labelled with the name."""

    def show(line: str) -> None:
        print_line(name, line)

    return show


def print_line(name: str, line: str) -> None:
    label = f"{name:<{LABEL_WIDTH}}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        label = f"\033[{COLOURS.get(name, OTHER_COLOUR)}m{label}\033[0m"
    print_safely(f"{label}| {line}")


def print_safely(text: str) -> None:
    """Print text. Ignore a closed pipe (`just up | head`) and a full disk."""
    try:
        print(text, flush=True)
    except OSError as error:
        if is_disk_full(error):
            return
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 # never closed


def print_error(line: str, code: int = 1) -> int:
    """Print a line to stderr and return the exit code."""
    print(line, file=sys.stderr)
    return code


def address_table(variables: Mapping[str, str], *, demo: bool) -> str:
    """List the address of every service and, with the demo data, the accounts to sign in with."""
    app = f"http://{LOOPBACK}:{variables['PORT']}"
    rows = [
        ("API", f"{app}/api/v1"),
        ("OpenAPI", f"{app}/schema"),
        ("Pages", f"{app}/"),
        ("Ops", f"{app}/ops (for the operator)"),
        ("Inbox", variables.get("INBOX_URL", "")),
        ("Metrics", f"http://{LOOPBACK}:{variables['API_METRICS_PORT']}/metrics (API)"),
        ("", f"http://{LOOPBACK}:{variables['METRICS_PORT']}/metrics (worker)"),
        ("Postgres", without_password(variables.get("DATABASE_URL", ""))),
        ("Redis", without_password(variables.get("REDIS_URL", ""))),
        ("S3", without_password(variables.get("S3_ENDPOINT_URL", ""))),
        ("SMTP", without_password(variables.get("SMTP_URL", ""))),
    ]
    if demo:
        rows += [
            (_role(account), f"{account.email}  {account.password}") for account in DEMO_ACCOUNTS
        ]
    return _align([row for row in rows if row[1]])


def moved_port_lines(all_ports: Iterable[Mapping[str, tuple[int, int]]]) -> list[str]:
    """Return a line for each service that does not listen on its default port."""
    return [
        f"port {default} is taken: {name} listens on {port} instead"
        for ports in all_ports
        for name, (default, port) in ports.items()
        if port != default
    ]


def without_password(url: str) -> str:
    """Replace the password in a URL with asterisks."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(
        parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}")
    )


def _role(account: DemoAccount) -> str:
    return "Operator" if account.operator else "User"


def _align(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"  {label:<{width}}  {value}" for label, value in rows)
