"""What an operator should know of first, in words. The bounds are those of `deploy/alerts.yml`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from app.jobs.admin.rows import DeadLetterCounts, Outage, QueueState, Worker
from app.jobs.job import Queue
from app.jobs.schedules.schedule import ScheduleState
from app.pages.formatting import count, span

PATIENCE: dict[Queue, float] = {"critical": 60, "default": 600, "low": 3600}
"""Seconds that the oldest job of a queue may have waited."""
KINDS = "/ops/queues#kinds"


class Situation(Struct, frozen=True):
    """All that there is to know at one moment."""

    queues: list[QueueState]
    paused_kinds: list[str]
    outages: list[Outage]
    dead: DeadLetterCounts
    schedules: list[ScheduleState]
    workers: list[Worker]

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.alive]

    @property
    def slots(self) -> int:
        return sum(worker.slots for worker in self.alive)

    @property
    def running(self) -> int:
        return sum(queue.running for queue in self.queues)

    @property
    def waiting(self) -> int:
        return sum(queue.waiting for queue in self.queues)

    @property
    def finished_per_minute(self) -> float:
        return sum(queue.finished_per_minute for queue in self.queues)


class Trouble(Struct, frozen=True):
    """What is wrong, how badly, and the page on which something can be done."""

    look: Literal["bad", "warn"]
    what: str
    meaning: str
    path: str


def troubles(seen: Situation) -> list[Trouble]:
    """The worst first."""
    parts = (_of_workers, _of_outages, _of_jobs, _of_queues, _of_kinds, _of_schedules)
    found = [trouble for part in parts for trouble in part(seen)]
    return sorted(found, key=lambda one: one.look != "bad")


def _of_workers(seen: Situation) -> Iterator[Trouble]:
    if not seen.alive:
        yield Trouble(
            "bad", "No worker is running", "No job runs until you start one.", "/ops/workers"
        )
    elif gone := len(seen.workers) - len(seen.alive):
        yield Trouble(
            "warn",
            f"{_many(gone, 'worker', 'workers')} stopped responding",
            "Other workers reclaim their jobs.",
            "/ops/workers",
        )


def _of_queues(seen: Situation) -> Iterator[Trouble]:
    for queue in seen.queues:
        if queue.paused:
            yield Trouble(
                "warn",
                f"Queue {queue.name} is paused",
                f"{_many(queue.waiting, 'job is', 'jobs are')} waiting until it is resumed.",
                "/ops/queues",
            )
        elif queue.oldest_age_s is not None and queue.oldest_age_s > PATIENCE[queue.name]:
            yield Trouble(
                "bad",
                f"A job in {queue.name} has been waiting for {span(queue.oldest_age_s)}",
                f"{_many(queue.waiting, 'job is', 'jobs are')} due. The workers cannot keep up.",
                "/ops/queues",
            )


def _of_kinds(seen: Situation) -> Iterator[Trouble]:
    if seen.paused_kinds:
        paused = _many(len(seen.paused_kinds), "kind is", "kinds are")
        named = ", ".join(seen.paused_kinds[:3]) + (" ..." if len(seen.paused_kinds) > 3 else "")
        yield Trouble("warn", f"{paused} paused", f"No jobs start for: {named}", KINDS)


def _of_outages(seen: Situation) -> Iterator[Trouble]:
    for outage in seen.outages:
        if not outage.is_pause:
            yield Trouble(
                "bad",
                f"{outage.blocked_on} is unavailable",
                f"{_many(outage.jobs, 'job is', 'jobs are')} waiting. Retries are automatic.",
                "/ops/jobs?state=snoozed",
            )


def _of_jobs(seen: Situation) -> Iterator[Trouble]:
    if seen.dead.letters:
        causes = _many(seen.dead.groups, "cause", "causes")
        yield Trouble(
            "bad",
            f"{_many(seen.dead.letters, 'dead letter', 'dead letters')} from {causes}",
            "Fix the cause, then retry.",
            "/ops/dead-letters",
        )


def _of_schedules(seen: Situation) -> Iterator[Trouble]:
    for schedule in seen.schedules:
        if schedule.paused:
            yield Trouble(
                "warn",
                f"Schedule {schedule.name} is paused",
                "It will not run until it is resumed.",
                f"/ops/schedules/{schedule.name}",
            )
        if schedule.consecutive_failures:
            times = _many(schedule.consecutive_failures, "time", "times")
            yield Trouble(
                "bad",
                f"{schedule.name} has failed {times} since its last success",
                "See its runs for the errors.",
                f"/ops/schedules/{schedule.name}",
            )


def _many(number: int, one: str, more: str) -> str:
    return f"{count(number)} {one if number == 1 else more}"
