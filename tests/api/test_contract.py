"""The OpenAPI document against the running API: requests made from it, answers held against it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.embedded.home import ROOT
from app.embedded.ports import free_ports
from app.resources import Resources
from tests.support.people import person
from tests.support.working import WAIT_LIMIT_S

EXAMPLES = 5
"""Of each operation."""
SIGN_OUT = "DELETE /api/v1/sessions/current"
"""Asked last: all others need the session."""


@pytest.fixture
async def operator(resources: Resources) -> dict[str, str]:
    """What signs a request of somebody who may call everything."""
    kim = await person(resources.database, "kim")
    await resources.database.execute("update users set is_admin = true")
    return kim.headers


@pytest.fixture
def schema(
    environ: Mapping[str, str], operator: dict[str, str], tmp_path: Path
) -> Iterator[schemathesis.BaseSchema]:
    (port,) = free_ports(1)
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.asgi"],
            cwd=ROOT,
            env={**environ, "PORT": str(port), "PATH": os.environ["PATH"]},
            stderr=output,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health/live")
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/schema/openapi.json")
    finally:
        process.terminate()
        process.wait()
    assert "request.failed" not in said.read_text()


def _wait_for(url: str) -> None:
    deadline = monotonic() + WAIT_LIMIT_S
    while True:
        try:
            httpx.get(url)
        except httpx.TransportError:
            assert monotonic() < deadline
            sleep(0.05)
        else:
            return


@pytest.mark.parametrize("mode", schemathesis.GenerationMode, ids=lambda mode: mode.value)
def test_no_request_fails_here_and_every_answer_is_as_described(
    mode: schemathesis.GenerationMode, schema: schemathesis.BaseSchema, operator: dict[str, str]
) -> None:
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(found) == len(operations)
    failed: dict[str, str] = {}
    with requests.Session() as session:
        session.headers.update(operator)
        for operation in sorted(operations, key=lambda one: one.label == SIGN_OUT):
            try:
                _ask(operation.as_strategy(generation_mode=mode), session)
            except FailureGroup as failure:
                failed[operation.label] = "\n".join(str(one) for one in failure.exceptions)
            except Unsatisfiable:  # it takes nothing, or any text, and so nothing wrong
                assert mode is schemathesis.GenerationMode.NEGATIVE
    assert not failed, "\n\n".join(f"{label}\n{what}" for label, what in failed.items())


def _ask(cases: SearchStrategy[schemathesis.Case], session: requests.Session) -> None:
    @given(cases)
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(
            session=session, timeout=WAIT_LIMIT_S, excluded_checks=[positive_data_acceptance]
        )

    ask()
