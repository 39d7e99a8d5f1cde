"""Job types and handlers are found without being listed by hand."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

import app
from app.jobs import Job, handles
from app.jobs.handlers import HANDLERS, required_resources
from app.jobs.schedules import SCHEDULES
from app.resources import Resources
from tests.support.sample_jobs import SampleJob

OURS = {
    job_type: handler for job_type, handler in HANDLERS.items() if "app." in job_type.__module__
}

PRINT_KINDS = """
from app.api.application import create_app
from app.jobs.job import KINDS

create_app(lambda: None)
print(*KINDS)
"""


def _job_types() -> set[str]:
    """Return the names of all classes in app that derive directly from Job or ScheduledJob."""
    found = {"Job", "ScheduledJob"}
    trees = [ast.parse(path.read_text()) for path in Path(app.__path__[0]).rglob("*.py")]
    for tree in trees:
        for node in ast.walk(tree):
            bases = {base.id for base in getattr(node, "bases", ()) if isinstance(base, ast.Name)}
            if isinstance(node, ast.ClassDef) and bases & {"Job", "ScheduledJob"}:
                found.add(node.name)
    return found - {"Job", "ScheduledJob"}


def test_every_job_type_in_app_has_a_handler() -> None:
    assert _job_types() == {job_type.__name__ for job_type in OURS}


def test_api_knows_every_kind_when_it_starts() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PRINT_KINDS], capture_output=True, text=True, check=True
    )
    assert {job_type.kind for job_type in OURS} == set(printed.stdout.split())


def test_every_scheduled_job_type_has_a_schedule() -> None:
    assert {name: SCHEDULES[name].job_type for name in SCHEDULES} == {
        job_type.kind: job_type for job_type in OURS if "day" in job_type.__struct_fields__
    }


@pytest.mark.parametrize("job_type", OURS)
def test_handler_requires_only_resources_that_exist(job_type: type[Job]) -> None:
    assert set(required_resources(HANDLERS[job_type])) <= {
        field.name for field in fields(Resources)
    }


def test_job_type_cannot_have_two_handlers() -> None:
    with pytest.raises(TypeError, match="SampleJob has two handlers"):
        handles(SampleJob)(HANDLERS[SampleJob])


def test_jobs_that_may_take_long_are_in_low_which_leaves_slots_to_the_others() -> None:
    long = {job_type for job_type in OURS if job_type.timeout > timedelta(minutes=5)}
    assert len(long) > 5
    assert {"low"} == {job_type.queue for job_type in long}
