"""Every metric of the service, in one registry a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

registry = CollectorRegistry()
GCCollector(registry)
PlatformCollector(registry)
ProcessCollector(registry=registry)

BY_KIND = ("kind", "queue")
SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)

enqueued = Counter(
    "activelog_jobs_enqueued",
    "Jobs inserted by this process, counted when their transaction commits.",
    BY_KIND,
    registry=registry,
)
dispatched = Counter(
    "activelog_jobs_dispatched", "Ids given to Redis by this process.", registry=registry
)
started = Counter("activelog_jobs_started", "Attempts begun.", BY_KIND, registry=registry)
ended = Counter(
    "activelog_jobs_ended",
    "Attempts ended, by outcome: done, retried, snoozed, dead, cancelled, given_back, lost.",
    (*BY_KIND, "outcome"),
    registry=registry,
)
wait_seconds = Histogram(
    "activelog_job_wait_seconds",
    "From when a job was due to the start of an attempt.",
    ("kind",),
    buckets=SECONDS,
    registry=registry,
)
run_seconds = Histogram(
    "activelog_job_run_seconds",
    "How long an attempt took.",
    ("kind",),
    buckets=SECONDS,
    registry=registry,
)
slots = Gauge("activelog_worker_slots", "Jobs that this worker can run at once.", registry=registry)
running = Gauge("activelog_worker_running", "Jobs that this worker runs.", registry=registry)
leases_lost = Counter(
    "activelog_leases_lost",
    "Attempts whose job had become another worker's, or nobody's, before they ended.",
    registry=registry,
)
draws = Counter(
    "activelog_draws", "Times that this worker looked at the queues in Redis.", registry=registry
)
drawn = Counter(
    "activelog_drawn",
    "Ids that this worker took out of Redis; those that it started no job of were no longer free.",
    registry=registry,
)
breaker_open = Gauge(
    "activelog_breaker_open",
    "1 while this process waits for a dependency that it found away.",
    ("dependency",),
    registry=registry,
)
letters = Counter(
    "activelog_letters",
    "Letters by outcome: sent, refused, deferred, doubted, unanswered, turned_away, suppressed.",
    ("letter", "outcome"),
    registry=registry,
)
export_bytes = Counter(
    "activelog_export_bytes",
    "Bytes of finished exports, as they were put into the bucket.",
    ("format",),
    registry=registry,
)
reclaimed = Counter(
    "activelog_jobs_reclaimed", "Jobs of lost workers put back by this one.", registry=registry
)


class KindMetrics:
    """The metrics of one kind, found once: looking labels up costs more than counting."""

    def __init__(self, kind: str, queue: str) -> None:
        self.started = started.labels(kind, queue)
        self.wait_seconds = wait_seconds.labels(kind)
        self.run_seconds = run_seconds.labels(kind)
        self.ended = cache(partial(ended.labels, kind, queue))


of_kind = cache(KindMetrics)
# What follows is read from Postgres, by every worker for all of them: one asks for the maximum.
figures_read = Gauge(
    "activelog_figures_read_timestamp_seconds",
    "When this worker last read the figures of queues, kinds and workers from Postgres.",
    registry=registry,
)
queue_size = Gauge(
    "activelog_queue_size", "Jobs that are due and wait.", ("queue",), registry=registry
)
queue_oldest_age = Gauge(
    "activelog_queue_oldest_age_seconds",
    "How long the job that has waited longest has been due.",
    ("queue",),
    registry=registry,
)
queue_running = Gauge(
    "activelog_queue_running", "Jobs that run, in all workers.", ("queue",), registry=registry
)
queue_paused = Gauge(
    "activelog_queue_paused", "1 while operators have the queue stopped.", ("queue",),
    registry=registry,
)  # fmt: skip
outbox_lag = Gauge(
    "activelog_outbox_lag_seconds",
    "How long the oldest due job has waited without having been seen in Redis.",
    registry=registry,
)
jobs_waiting = Gauge(
    "activelog_jobs_waiting", "Jobs of a kind that are due and wait.", ("kind",), registry=registry
)
jobs_held = Gauge(
    "activelog_jobs_held",
    "Jobs that wait for a dependency that is away, or for their paused kind.",
    ("kind", "blocked_on"),
    registry=registry,
)
dead_letters = Gauge(
    "activelog_dead_letters", "Jobs that are dead and undealt with.", ("kind",), registry=registry
)
kind_paused = Gauge(
    "activelog_kind_paused", "1 while operators have the kind stopped.", ("kind",),
    registry=registry,
)  # fmt: skip
workers = Gauge(
    "activelog_workers",
    "Workers whose lease holds, and those that went without a goodbye.",
    ("state",),
    registry=registry,
)

loop_lag = Histogram(
    "activelog_loop_lag_seconds",
    "How late the event loop of this process wakes.",
    buckets=SECONDS,
    registry=registry,
)

refused = Counter(
    "activelog_refused",
    "Requests that this process refused because a limit was reached.",
    ("limit",),
    registry=registry,
)
POOL = ("pool",)
_pool_limit = Gauge(
    "activelog_database_pool_limit", "Connections that a pool may open.", POOL, registry=registry
)
_pool_size = Gauge(
    "activelog_database_pool_size", "Connections that a pool has open.", POOL, registry=registry
)
_pool_idle = Gauge(
    "activelog_database_pool_idle", "Open connections that are free.", POOL, registry=registry
)
_pool_waiting = Gauge(
    "activelog_database_pool_waiting",
    "Who waits for a connection: for a free one, or for a new one to be opened.",
    POOL,
    registry=registry,
)

schedules_looked_at = Gauge(
    "activelog_schedules_looked_at_timestamp_seconds",
    "When this worker last fired what was due.",
    registry=registry,
)
schedule_running = Gauge(
    "activelog_schedule_going_seconds",
    "How long ago the oldest run was fired that has not ended; 0: none goes.",
    ("schedule",),
    registry=registry,
)
schedule_runs = Gauge(
    "activelog_schedule_runs",
    "Ended runs in the kept history: done, dead, cancelled, skipped.",
    ("schedule", "outcome"),
    registry=registry,
)
schedule_duration = Gauge(
    "activelog_schedule_duration_seconds",
    "How long the last run took that was done or died.",
    ("schedule",),
    registry=registry,
)
schedule_last_success = Gauge(
    "activelog_schedule_last_success_timestamp_seconds",
    "When a run was last done.",
    ("schedule",),
    registry=registry,
)
schedule_failures = Gauge(
    "activelog_schedule_consecutive_failures",
    "Runs that died since the last that was done.",
    ("schedule",),
    registry=registry,
)
schedule_next_due = Gauge(
    "activelog_schedule_next_due_timestamp_seconds",
    "When the next slot is; 0 while the schedule is paused.",
    ("schedule",),
    registry=registry,
)


class WatchedPool(Protocol):
    def get_max_size(self) -> int: ...
    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...


def watch_pool(name: str, pool: WatchedPool, waiting: Callable[[], int]) -> None:
    """Show a pool of this process, as it is whenever the metrics are asked for."""
    _pool_limit.labels(name).set_function(pool.get_max_size)
    _pool_size.labels(name).set_function(pool.get_size)
    _pool_idle.labels(name).set_function(pool.get_idle_size)
    _pool_waiting.labels(name).set_function(waiting)


def render() -> bytes:
    """The metrics in Prometheus's text format."""
    return generate_latest(registry)
