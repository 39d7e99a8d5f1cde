"""The variables of the running system: what the children get, and what `just env` prints."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from app.embedded.ports import LOOPBACK, usual_or_free

SHARED = (
    "DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL", "S3_REGION",
    "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SMTP_URL", "INBOX_URL",
    "INBOX_FOLDER", "APP_URL", "HOST", "PORT", "METRICS_PORT", "ENVIRONMENT",
)  # fmt: skip
"""What joins the running system from outside needs; secrets of the application are not in it."""


def variables_of_children(
    environ: Mapping[str, str], embedded: Mapping[str, str]
) -> dict[str, str]:
    """The environment, over it the embedded servers, and ports for the API and the worker."""
    found = {**environ, **embedded}
    port = found.get("PORT") or str(usual_or_free(8000))
    usual = {
        "ENVIRONMENT": "development",
        "HOST": LOOPBACK,
        "PORT": port,
        "METRICS_PORT": found.get("METRICS_PORT") or str(usual_or_free(9100)),
        "APP_URL": f"http://{LOOPBACK}:{port}",
    }
    return {**found, **{name: found.get(name) or value for name, value in usual.items()}}


def ports_of_children(
    environ: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """The usual and the actual ports of API and worker, unless the environment names them."""
    usual = {"PORT": ("the API", 8000), "METRICS_PORT": ("the worker", 9100)}
    return {
        who: (port, int(variables[name]))
        for name, (who, port) in usual.items()
        if not environ.get(name)
    }


def keep_variables(file: Path, variables: Mapping[str, str]) -> None:
    lines = [f"{name}={shlex.quote(variables[name])}" for name in SHARED if variables.get(name)]
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write("\n".join(lines) + "\n")
