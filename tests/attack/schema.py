"""Requests that schemathesis derives from the OpenAPI document, valid and invalid ones."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from app.resources import open_resources
from app.settings import Settings
from tests.attack.target import target
from tests.bench.environment import Environment
from tests.bench.table import Row
from tests.jobs.operators import operator

NEEDS = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")
EXAMPLES, SHORT_EXAMPLES = 300, 10
"""The maximum number of random cases for each operation."""
EXCLUDED_CHECKS = (
    # Some rules cannot be said in a schema: which cursors exist, which dates are in the future.
    "positive_data_acceptance",
    "negative_data_rejection",
)
EXCLUDED_OPERATIONS = ("deleteMe", "signOut", "changePassword")
"""These would end the session with which the others are tested."""


async def attack(environment: Environment, *, short: bool) -> list[Row]:
    """Run schemathesis as an operator."""
    settings = Settings.from_env(environment.environ)
    async with open_resources(settings, process="activelog-attack") as resources:
        await resources.bucket.create_if_missing()
        ada = await operator(resources.database)
    async with target(environment, {"REQUEST_RATE": "900000/m"}) as api:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("st")),
            *("run", f"{api.url}/schema/openapi.json"),
            *("--header", f"Authorization: Bearer {ada.token}"),
            *("--max-examples", str(SHORT_EXAMPLES if short else EXAMPLES), "--seed", "1"),
            *("--suppress-health-check", "all", "--request-timeout", "60"),
            *("--exclude-checks", ",".join(EXCLUDED_CHECKS), "--no-color", "--continue-on-failure"),
            *(f"--exclude-operation-id={name}" for name in EXCLUDED_OPERATIONS),
            cwd=environment.folder,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output = (await process.communicate())[0].decode()
        alive = api.is_alive()
    print(output)
    cases = re.search(r"(\d[\d,]*) generated", output)
    what = f"schemathesis, {cases[1] if cases else 'no'} cases"
    return [
        Row(what, "API", f"exit code {process.returncode}", "0", process.returncode == 0),
        Row("alive afterwards", "API", str(alive), "True", alive),
    ]
