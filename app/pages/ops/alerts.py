"""The alerts on the operators' overview.

They resemble those in `deploy/alerts.yml`, but appear without waiting for a problem to persist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from app.jobs.admin.rows import BlockedJobs, DeadLetterCounts, QueueState, Worker
from app.jobs.job import Queue
from app.jobs.schedules.schedule import ScheduleState
from app.pages.formatting import count, span

MAX_WAIT_S: dict[Queue, float] = {"critical": 60, "default": 600, "low": 3600}
"""How many seconds a queue's oldest due job may wait, as in `deploy/alerts.yml`."""
KINDS_PATH = "/ops/queues#kinds"


class Snapshot(Struct, frozen=True):
    """The state of queues, dead letters, schedules and workers that the overview shows."""

    queues: list[QueueState]
    paused_kinds: list[str]
    blocked: list[BlockedJobs]
    dead: DeadLetterCounts
    schedules: list[ScheduleState]
    workers: list[Worker]

    @property
    def live_workers(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.alive]

    @property
    def slots(self) -> int:
        return sum(worker.slots for worker in self.live_workers)

    @property
    def running(self) -> int:
        return sum(queue.running for queue in self.queues)

    @property
    def waiting(self) -> int:
        return sum(queue.waiting for queue in self.queues)

    @property
    def finished_per_minute(self) -> float:
        return sum(queue.finished_per_minute for queue in self.queues)


class Alert(Struct, frozen=True):
    """A problem, its severity, and the page where an operator can act on it."""

    severity: Literal["bad", "warn"]
    title: str
    detail: str
    path: str


def list_alerts(snapshot: Snapshot) -> list[Alert]:
    """Return the alerts for a snapshot, the most severe first."""
    checks = (
        _worker_alerts,
        _blocked_alerts,
        _dead_letter_alerts,
        _queue_alerts,
        _kind_alerts,
        _schedule_alerts,
    )
    alerts = [alert for check in checks for alert in check(snapshot)]
    return sorted(alerts, key=lambda alert: alert.severity != "bad")


def _worker_alerts(snapshot: Snapshot) -> Iterator[Alert]:
    if not snapshot.live_workers:
        yield Alert(
            "bad", "No worker is running", "Jobs wait until you start a worker.", "/ops/workers"
        )
    elif silent := len(snapshot.workers) - len(snapshot.live_workers):
        yield Alert(
            "warn",
            f"{_plural(silent, 'worker', 'workers')} stopped responding",
            f"Other workers reclaim {'its' if silent == 1 else 'their'} jobs.",
            "/ops/workers",
        )


def _queue_alerts(snapshot: Snapshot) -> Iterator[Alert]:
    for queue in snapshot.queues:
        if queue.paused:
            yield Alert(
                "warn",
                f"Queue {queue.name} is paused",
                f"{_plural(queue.waiting, 'job is', 'jobs are')} waiting until you resume it.",
                "/ops/queues",
            )
        elif queue.oldest_age_s is not None and queue.oldest_age_s > MAX_WAIT_S[queue.name]:
            yield Alert(
                "bad",
                f"A job in queue {queue.name} has been waiting for {span(queue.oldest_age_s)}",
                f"{_plural(queue.waiting, 'job is', 'jobs are')} due. Workers are not keeping up.",
                "/ops/queues",
            )


def _kind_alerts(snapshot: Snapshot) -> Iterator[Alert]:
    if snapshot.paused_kinds:
        paused = _plural(len(snapshot.paused_kinds), "kind is", "kinds are")
        names = ", ".join(snapshot.paused_kinds[:3]) + (
            " …" if len(snapshot.paused_kinds) > 3 else ""
        )
        whose = "Its" if len(snapshot.paused_kinds) == 1 else "Their"
        yield Alert("warn", f"{paused} paused", f"{whose} jobs do not start: {names}", KINDS_PATH)


def _blocked_alerts(snapshot: Snapshot) -> Iterator[Alert]:
    for blocked in snapshot.blocked:
        if not blocked.is_pause:
            yield Alert(
                "bad",
                f"{blocked.blocked_on} is unavailable",
                f"{_plural(blocked.jobs, 'job is', 'jobs are')} waiting. Retries are automatic.",
                "/ops/jobs?state=snoozed",
            )


def _dead_letter_alerts(snapshot: Snapshot) -> Iterator[Alert]:
    if snapshot.dead.letters:
        causes = _plural(snapshot.dead.groups, "cause", "causes")
        yield Alert(
            "bad",
            f"{_plural(snapshot.dead.letters, 'dead letter', 'dead letters')} from {causes}",
            "Fix the cause, then retry.",
            "/ops/dead-letters",
        )


def _schedule_alerts(snapshot: Snapshot) -> Iterator[Alert]:
    for schedule in snapshot.schedules:
        if schedule.paused:
            yield Alert(
                "warn",
                f"Schedule {schedule.name} is paused",
                "It will not run on schedule until you resume it.",
                f"/ops/schedules/{schedule.name}",
            )
        if schedule.consecutive_failures:
            failures = schedule.consecutive_failures
            times = "once" if failures == 1 else f"{count(failures)} times"
            yield Alert(
                "bad",
                f"{schedule.name} has failed {times} since its last success",
                "See its runs for the errors.",
                f"/ops/schedules/{schedule.name}",
            )


def _plural(number: int, singular: str, plural: str) -> str:
    return f"{count(number)} {singular if number == 1 else plural}"
