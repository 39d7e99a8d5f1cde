"""ActiveLog's own processes under `just up`, their environment, and the demo accounts."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.embedded.daemon import Daemon, Workspace
from app.embedded.home import ROOT
from app.embedded.ports import LOOPBACK, default_or_free_port, http_status

KILL_MARGIN_S = 5.0
"""How long a child may keep running after its shutdown grace before it is killed."""
SHARED_VARIABLES = (
    "DATABASE_URL", "MIGRATIONS_DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL",
    "S3_PUBLIC_ENDPOINT_URL", "S3_REGION", "S3_BUCKET", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "SMTP_URL", "INBOX_URL", "INBOX_FOLDER", "APP_URL", "HOST", "PORT",
    "API_METRICS_PORT",
    "METRICS_PORT", "ENVIRONMENT",
)  # fmt: skip
"""Variables that other programs need to connect to the running system. SECRET_KEY is left out."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A Python program to run as a child process."""

    name: str
    arguments: tuple[str, ...]
    """The command line after `python`."""
    ready_url: str | None = None
    """A URL that responds with 200 once the program is ready; it may contain variables (`{PORT}`).

    None if the program runs once and exits."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `up` runs once the servers are ready."""

    steps: tuple[ChildSpec, ...]
    """Programs to run to completion, in this order, before the children start. Only they get the
    owner's database URL."""
    demo: ChildSpec
    """The step that loads the demo data; skipped with a message unless the database is embedded."""
    children: tuple[ChildSpec, ...]
    bucket: ChildSpec | None = None
    """The step that sets up the bucket; skipped silently unless the S3 server is embedded."""


MIGRATE = ChildSpec("migrate", ("-m", "app", "migrate"))
DEMO = ChildSpec("demo", ("-m", "app.embedded.demo"))
API = ChildSpec("api", ("-m", "app.asgi"), "http://127.0.0.1:{PORT}/health/ready")
WORKER = ChildSpec(
    "worker", ("-m", "arq", "worker.WorkerSettings"), "http://127.0.0.1:{METRICS_PORT}/metrics"
)
BUCKET = ChildSpec("bucket", ("-m", "app", "bucket", "prepare"))
ACTIVELOG = Plan(steps=(MIGRATE,), demo=DEMO, children=(API, WORKER), bucket=BUCKET)


class Child(Daemon):
    """One of ActiveLog's own processes. Its output is shown on the console."""

    start_timeout_s = 60.0
    start_attempts = 1  # its port is fixed: other processes already know it

    def __init__(
        self,
        spec: ChildSpec,
        workspace: Workspace,
        variables: Mapping[str, str],
        show: Callable[[str], None],
    ) -> None:
        super().__init__(workspace, show)
        self.name = spec.name
        self.stop_timeout_s = shutdown_grace_s(variables) + KILL_MARGIN_S
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

    async def is_ready(self) -> bool:
        return await http_status(self._ready_url) == 200

    async def run(self) -> None:
        """Run the program to completion.

        Raises:
            DidNotStart: the program exited with a nonzero code.
        """
        try:
            await self.spawn()
            if code := await self.wait():
                raise self._failure(code)
        finally:
            await self.stop()


def shutdown_grace_s(variables: Mapping[str, str]) -> float:
    """Return SHUTDOWN_GRACE in seconds. Ignore an invalid value: the program rejects it itself."""
    text = variables.get("SHUTDOWN_GRACE", "")
    return float(text) if text.isdigit() else 25.0


def child_variables(environ: Mapping[str, str], embedded: Mapping[str, str]) -> dict[str, str]:
    """Merge the environment and the settings of the embedded servers, which take precedence.

    Variables that the children need and that are missing or empty, such as PORT, get defaults.
    """
    found = {**environ, **embedded}
    port = found.get("PORT") or str(default_or_free_port(8000))
    defaults = {
        "ENVIRONMENT": "development",
        "HOST": LOOPBACK,
        "PORT": port,
        "API_METRICS_PORT": found.get("API_METRICS_PORT") or str(default_or_free_port(9101)),
        "METRICS_PORT": found.get("METRICS_PORT") or str(default_or_free_port(9100)),
        "APP_URL": f"http://{LOOPBACK}:{port}",
    }
    return {**found, **{name: found.get(name) or value for name, value in defaults.items()}}


def without_owner(variables: Mapping[str, str]) -> dict[str, str]:
    """Leave out the URL of the role that owns the tables."""
    return {name: value for name, value in variables.items() if name != "MIGRATIONS_DATABASE_URL"}


def child_ports(
    environ: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """Return (default, actual) ports for the API and the worker, unless the user has set them."""
    defaults = {
        "PORT": ("the API", 8000),
        "API_METRICS_PORT": ("the API's metrics", 9101),
        "METRICS_PORT": ("the worker", 9100),
    }
    return {
        service: (port, int(variables[name]))
        for name, (service, port) in defaults.items()
        if not environ.get(name)
    }


def write_env_file(file: Path, variables: Mapping[str, str]) -> None:
    """Write the shared variables for a shell to evaluate. Only this user can read the file."""
    shared = {name: variables[name] for name in SHARED_VARIABLES if variables.get(name)}
    lines = [f"{name}={shlex.quote(value)}" for name, value in shared.items()]
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write("\n".join(lines) + "\n")


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """A demo user. The password is public, so only an embedded database gets demo users."""

    email: str
    name: str
    password: str
    operator: bool


ADA = DemoAccount("ada@example.org", "Ada", "ada-runs-before-dawn", operator=True)
GRACE = DemoAccount("grace@example.org", "Grace", "grace-swims-at-noon", operator=False)
DEMO_ACCOUNTS = (ADA, GRACE)
