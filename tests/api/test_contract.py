"""Checks of the running API against its OpenAPI document, with generated requests."""

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
"""The maximum number of requests generated for each operation and mode."""
SIGN_OUT = "DELETE /api/v1/sessions/current"
"""Called last, because it ends the session that the other requests use."""


@pytest.fixture
async def operator(resources: Resources) -> dict[str, str]:
    """The headers of an operator, who may call every operation."""
    kim = await person(resources.database, "kim")
    await resources.database.execute("update users set is_admin = true")
    return kim.headers


@pytest.fixture
def schema(
    environ: Mapping[str, str], operator: dict[str, str], tmp_path: Path
) -> Iterator[schemathesis.BaseSchema]:
    (port,) = free_ports(1)
    log_path = tmp_path / "api.log"
    with log_path.open("wb") as output:
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
    assert "request.failed" not in log_path.read_text()


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
def test_responses_match_the_openapi_document_and_none_is_a_500(
    mode: schemathesis.GenerationMode, schema: schemathesis.BaseSchema, operator: dict[str, str]
) -> None:
    found = list(schema.get_all_operations())
    operations = [result.ok() for result in found if isinstance(result, Ok)]
    assert len(found) == len(operations)
    failed: dict[str, str] = {}
    with requests.Session() as session:
        session.headers.update(operator)
        for operation in sorted(operations, key=lambda operation: operation.label == SIGN_OUT):
            try:
                _call(operation.as_strategy(generation_mode=mode), session)
            except FailureGroup as failure:
                failed[operation.label] = "\n".join(str(error) for error in failure.exceptions)
            except Unsatisfiable:  # no input is invalid: the operation takes none, or any text
                assert mode is schemathesis.GenerationMode.NEGATIVE
    assert not failed, "\n\n".join(f"{label}\n{message}" for label, message in failed.items())


def _call(cases: SearchStrategy[schemathesis.Case], session: requests.Session) -> None:
    @given(cases)
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def call(case: schemathesis.Case) -> None:
        case.call_and_validate(
            session=session, timeout=WAIT_LIMIT_S, excluded_checks=[positive_data_acceptance]
        )

    call()
