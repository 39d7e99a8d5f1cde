"""The metrics of queues and kinds, as Prometheus sees them."""

from __future__ import annotations

from app import metrics
from app.jobs.pauses import Pauses
from app.resources import Resources
from tests.support.sample_jobs import SampleJob
from worker.queue_metrics import publish_metrics

SNOOZED = """
insert into jobs (kind, queue, payload, state, enqueued_at, run_at, blocked_on)
values ($1, 'default', '{}', 'snoozed', now() - interval '30 hours', now() + interval '1 hour', $2)
"""


def value(name: str, kind: str) -> float | None:
    return metrics.registry.get_sample_value(f"activelog_{name}", {"kind": kind})


async def test_age_of_a_snoozed_job_counts_from_when_it_was_enqueued(resources: Resources) -> None:
    await resources.database.execute(SNOOZED, SampleJob.kind, None)
    await publish_metrics(resources.database, Pauses())
    assert 30 * 3_600 <= (value("jobs_snoozed_age_seconds", SampleJob.kind) or 0) < 31 * 3_600
    assert 1 == value("kind_handled", SampleJob.kind)


async def test_snoozed_job_of_a_paused_kind_is_not_late(resources: Resources) -> None:
    await resources.database.execute(SNOOZED, SampleJob.kind, f"kind {SampleJob.kind}")
    await publish_metrics(resources.database, Pauses())
    assert 0 == value("jobs_snoozed_age_seconds", SampleJob.kind)


async def test_kind_without_a_handler_is_shown_as_such_until_its_jobs_are_gone(
    resources: Resources,
) -> None:
    await resources.database.execute(SNOOZED, "removed:kind", None)
    await publish_metrics(resources.database, Pauses())
    assert 0 == value("kind_handled", "removed:kind")
    await resources.database.execute("delete from jobs")
    await publish_metrics(resources.database, Pauses())
    assert value("kind_handled", "removed:kind") is None
