"""The overview and its alerts."""

from __future__ import annotations

import httpx
import pytest

from app.jobs.admin import queues
from app.jobs.admin.rows import DeadLetterCounts, QueueState
from app.jobs.schedules import history
from app.pages.ops.alerts import Snapshot, list_alerts
from app.postgres.database import Database
from app.resources import Resources
from tests.jobs.operators import dead
from tests.pages.browsing import text_of
from tests.support.sample_jobs import LowSampleJob, SampleJob, enqueue_job
from tests.support.schedules import finish_jobs, trigger_run
from tests.support.working import RunJobs, eventually, running_worker


async def overview(ops_browser: httpx.AsyncClient) -> str:
    response = await ops_browser.get("/ops")
    assert response.status_code == 200, response.text
    return text_of(response)


async def test_overview_has_no_alerts_if_a_worker_is_alive_and_nothing_is_wrong(
    ops_browser: httpx.AsyncClient, resources: Resources
) -> None:
    async def is_well() -> bool:
        return "All is well." in await overview(ops_browser)

    async with running_worker(resources):
        await eventually(is_well, True)  # after the worker's first heartbeat


async def test_overview_has_an_alert_if_no_worker_is_running(
    ops_browser: httpx.AsyncClient,
) -> None:
    text = await overview(ops_browser)
    assert "No worker is running Jobs wait until you start a worker." in text
    assert "All is well" not in text


@pytest.mark.parametrize(
    ("waiting_s", "is_alert"),
    [(5, False), (70, True)],
)
async def test_job_that_has_waited_too_long_raises_an_alert(
    ops_browser: httpx.AsyncClient, database: Database, waiting_s: int, *, is_alert: bool
) -> None:
    await enqueue_job(database, SampleJob("a"))
    await database.execute(
        "update jobs set queue = 'critical', run_at = now() - make_interval(secs => $1)", waiting_s
    )
    assert is_alert == (
        "A job in queue critical has been waiting for" in await overview(ops_browser)
    )


@pytest.mark.parametrize(("waiting_s", "is_alert"), [(59, False), (61, True)])
def test_critical_job_may_wait_for_a_minute_without_an_alert(
    waiting_s: float, *, is_alert: bool
) -> None:
    queue = QueueState(
        name="critical",
        waiting=1,
        scheduled=0,
        oldest_age_s=waiting_s,
        running=0,
        finished_per_minute=0,
        paused=False,
        paused_at=None,
        weight=6,
    )
    snapshot = Snapshot(
        queues=[queue],
        paused_kinds=[],
        blocked=[],
        dead=DeadLetterCounts(letters=0, groups=0),
        schedules=[],
        workers=[],
    )
    alerts = [alert.title for alert in list_alerts(snapshot)]
    assert is_alert == any(title.startswith("A job in queue critical") for title in alerts)


async def test_overview_has_alerts_for_dead_letters_failing_schedules_outages_and_pauses(
    ops_browser: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, SampleJob("a"), SampleJob("b"), reason="no such page")
    await trigger_run(database, "stats:daily")
    await finish_jobs(database, "dead")
    await enqueue_job(database, LowSampleJob("c"))
    await database.execute(
        "update jobs set state = 'snoozed', blocked_on = 'smtp' where kind = 'test:low'"
    )
    async with database.transaction() as tx:
        await queues.pause_queue(tx, "low", by="test")
        await queues.pause_kind(tx, "test:sample", by="test")
        await history.pause_schedule(tx, "cleanup:daily", by="test")
    text = await overview(ops_browser)
    for alert in (
        "smtp is unavailable 1 job is waiting. Retries are automatic.",
        "3 dead letters from 2 causes",
        "stats:daily has failed once since its last success",
        "Queue low is paused",
        "1 kind is paused Its jobs do not start: test:sample",
        "Schedule cleanup:daily is paused",
    ):
        assert alert in text
