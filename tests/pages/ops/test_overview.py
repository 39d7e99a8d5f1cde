"""The overview: whether all is well."""

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
from tests.pages.browsing import words
from tests.support.schedules import end_jobs, triggered
from tests.support.trials import LowTrial, Trial, put
from tests.support.working import RunJobs, eventually, working


async def overview(desk: httpx.AsyncClient) -> str:
    answer = await desk.get("/ops")
    assert answer.status_code == 200, answer.text
    return words(answer)


async def test_nothing_is_wrong_while_a_worker_lives(
    desk: httpx.AsyncClient, resources: Resources
) -> None:
    async def is_well() -> bool:
        return "All is well." in await overview(desk)

    async with working(resources):
        await eventually(is_well, True)  # with the worker's first heartbeat


async def test_that_no_worker_lives_is_said_first(desk: httpx.AsyncClient) -> None:
    said = await overview(desk)
    assert "No worker is running No job runs until you start one." in said
    assert "All is well" not in said


@pytest.mark.parametrize(
    ("waits_s", "said"),
    [(5, False), (70, True)],
)
async def test_a_job_that_has_waited_for_too_long_is_told(
    desk: httpx.AsyncClient, database: Database, waits_s: int, *, said: bool
) -> None:
    await put(database, Trial("a"))
    await database.execute(
        "update jobs set queue = 'critical', run_at = now() - make_interval(secs => $1)", waits_s
    )
    assert said == ("A job in critical has been waiting for" in await overview(desk))


@pytest.mark.parametrize(("waits_s", "said"), [(59, False), (61, True)])
def test_a_critical_job_may_wait_for_a_minute(waits_s: float, *, said: bool) -> None:
    queue = QueueState(
        name="critical",
        waiting=1,
        scheduled=0,
        oldest_age_s=waits_s,
        running=0,
        finished_per_minute=0,
        paused=False,
        paused_at=None,
        weight=6,
    )
    snapshot = Snapshot(
        queues=[queue],
        paused_kinds=[],
        outages=[],
        dead=DeadLetterCounts(letters=0, groups=0),
        schedules=[],
        workers=[],
    )
    alerts = [alert.title for alert in list_alerts(snapshot)]
    assert said == any(title.startswith("A job in critical") for title in alerts)


async def test_what_is_paused_dead_failing_or_away_is_told(
    desk: httpx.AsyncClient, database: Database, run_jobs: RunJobs
) -> None:
    await dead(database, run_jobs, Trial("a"), Trial("b"), reason="no such page")
    await triggered(database, "stats:daily")
    await end_jobs(database, "dead")
    await put(database, LowTrial("c"))
    await database.execute(
        "update jobs set state = 'snoozed', blocked_on = 'smtp' where kind = 'test:low'"
    )
    async with database.transaction() as tx:
        await queues.pause_queue(tx, "low", by="test")
        await queues.pause_kind(tx, "test:trial", by="test")
        await history.pause_schedule(tx, "cleanup:daily", by="test")
    said = await overview(desk)
    for alert in (
        "smtp is unavailable 1 job is waiting. Retries are automatic.",
        "3 dead letters from 2 causes",
        "stats:daily has failed 1 time since its last success",
        "Queue low is paused",
        "1 kind is paused No jobs start for: test:trial",
        "Schedule cleanup:daily is paused",
    ):
        assert alert in said
