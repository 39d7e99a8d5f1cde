"""Trace context, from the header of a request to the log line of the email that it causes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx
import pytest

from app.api.middleware import traceparent_of
from app.embedded.inbox import Inbox
from app.resources import Resources
from tests.support.http import anonymous_client
from tests.support.people import person
from tests.support.processes import WORKER, Program, program, running_api
from tests.support.working import RunJobs
from tests.users.people import new_user

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


def parse(*values: str) -> str | None:
    return traceparent_of([(b"traceparent", value.encode()) for value in values])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TRACEPARENT, TRACEPARENT),
        (f" {TRACEPARENT}\t", TRACEPARENT),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),
        (f"cc-{TRACE}-{SPAN}-01", TRACEPARENT),
        (f"cc-{TRACE}-{SPAN}-01-a field of a future version", TRACEPARENT),
    ],
)
def test_valid_traceparent_is_normalized_to_version_00(value: str, expected: str) -> None:
    assert expected == parse(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
    ],
)
def test_invalid_traceparent_is_ignored(value: str) -> None:
    assert parse(value) is None


def test_repeated_traceparent_is_ignored() -> None:
    assert parse(TRACEPARENT, TRACEPARENT) is None


async def test_trace_is_passed_from_a_request_to_the_log_of_its_email(
    resources: Resources, environ: Mapping[str, str], inbox: Inbox
) -> None:
    async with (
        running_api(environ) as (api, url),
        program(*WORKER, environ=environ) as worker,
        anonymous_client() as client,
    ):
        headers = {"traceparent": TRACEPARENT, "X-Request-ID": "seen-7"}
        response = await client.post(f"{url}/users", json=new_user(), headers=headers)
        assert response.status_code == 201
        await worker.wait_for_output("email.sent")
        (job_id,) = [row["id"] for row in await resources.database.fetch("select id from jobs")]
        await api.wait_for_output('"event": "request.finished"')
    request_line = line_of(api, "request.finished")
    assert (request_line["trace_id"], request_line["request_id"]) == (TRACE, "seen-7")
    line_of(worker, "email.sent")
    job_lines = [line for line in lines_of(worker) if line.get("job") == str(job_id)]
    assert len(job_lines) >= 1
    assert {(line["trace_id"], line["request_id"]) for line in job_lines} == {(TRACE, "seen-7")}
    assert TRACEPARENT == await resources.database.fetchval("select traceparent from jobs")


async def test_request_with_an_invalid_traceparent_enqueues_a_job_without_a_trace(
    api: httpx.AsyncClient, resources: Resources
) -> None:
    await api.post("/api/v1/users", json=new_user(), headers={"traceparent": "00-wrong"})
    assert await resources.database.fetchval("select traceparent from jobs") is None


async def test_trace_is_passed_from_a_job_to_the_job_that_it_enqueues(
    api: httpx.AsyncClient, resources: Resources, run_jobs: RunJobs
) -> None:
    kim = await person(resources.database, "kim")
    headers = {**kim.headers, "traceparent": TRACEPARENT, "X-Request-ID": "seen-8"}
    await api.post("/api/v1/export/request", json={"format": "csv"}, headers=headers)
    await run_jobs()
    rows = await resources.database.fetch("select kind, traceparent, request_id from jobs")
    assert {tuple(row) for row in rows} == {
        ("export:generate", TRACEPARENT, "seen-8"),
        ("email:export_ready", TRACEPARENT, "seen-8"),
    }


def lines_of(program: Program) -> list[dict[str, object]]:
    return [json.loads(line) for line in program.output.splitlines() if line.startswith("{")]


def line_of(program: Program, event: str) -> dict[str, object]:
    (found,) = [line for line in lines_of(program) if line["event"] == event]
    return found
