"""The service's metrics, in one registry per process."""

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
BUCKETS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)

enqueued = Counter(
    "activelog_jobs_enqueued",
    "Jobs inserted by this process, singly or by a fan-out. Other bulk inserts are not counted.",
    BY_KIND,
    registry=registry,
)
dispatched = Counter(
    "activelog_jobs_dispatched", "Job IDs that this process pushed to Redis.", registry=registry
)
started = Counter("activelog_jobs_started", "Attempts started.", BY_KIND, registry=registry)
ended = Counter(
    "activelog_jobs_ended",
    "Attempts finished, by outcome: done, retried, snoozed, dead, cancelled, released, lost.",
    (*BY_KIND, "outcome"),
    registry=registry,
)
wait_seconds = Histogram(
    "activelog_job_wait_seconds",
    "Time from when a job became due to the start of its attempt.",
    ("kind",),
    buckets=BUCKETS_S,
    registry=registry,
)
run_seconds = Histogram(
    "activelog_job_run_seconds",
    "Duration of an attempt.",
    ("kind",),
    buckets=BUCKETS_S,
    registry=registry,
)
slots = Gauge("activelog_worker_slots", "Jobs this worker can run at once.", registry=registry)
running = Gauge("activelog_worker_running", "Jobs running in this worker.", registry=registry)
leases_lost = Counter(
    "activelog_leases_lost",
    "Attempts that lost their job before they finished.",
    registry=registry,
)
pops = Counter(
    "activelog_pops", "Times this worker checked the queues in Redis.", registry=registry
)
foreign_data = Counter(
    "activelog_foreign_data",
    "What others have written to our keys in Redis: entries that are no job IDs, and were dropped,"
    " and keys of the wrong type, which were renamed.",
    ("what",),
    registry=registry,
)
foreign_ids, foreign_keys = foreign_data.labels("id"), foreign_data.labels("key")
popped = Counter(
    "activelog_popped",
    "Job IDs this worker popped from Redis. Those of jobs that are already claimed are dropped.",
    registry=registry,
)
breaker_open = Gauge(
    "activelog_breaker_open",
    "1 while the breaker of this dependency is open. It is the same in all workers.",
    ("dependency",),
    registry=registry,
)
emails = Counter(
    "activelog_emails",
    "Attempts to send an email, by outcome:"
    " sent, refused, deferred, ambiguous, unavailable, auth_failed, suppressed, unconfirmed.",
    ("template", "outcome"),
    registry=registry,
)
export_bytes = Counter(
    "activelog_export_bytes",
    "Bytes of finished exports, as stored in the bucket.",
    ("format",),
    registry=registry,
)
parked = Counter(
    "activelog_jobs_parked",
    "Waiting jobs that this worker parked because their kind was paused or a breaker opened.",
    registry=registry,
)
reclaimed = Counter(
    "activelog_jobs_reclaimed",
    "Jobs of lost workers that this worker reclaimed.",
    registry=registry,
)


class KindMetrics:
    """The metrics for one kind, cached because looking up labels costs more than counting."""

    def __init__(self, kind: str, queue: str) -> None:
        self.started = started.labels(kind, queue)
        self.wait_seconds = wait_seconds.labels(kind)
        self.run_seconds = run_seconds.labels(kind)
        self.ended = cache(partial(ended.labels, kind, queue))


of_kind = cache(KindMetrics)

queue_stats_read = Gauge(
    "activelog_queue_stats_read_timestamp_seconds",
    "When this worker last read the queue, kind and worker metrics from Postgres.",
    registry=registry,
)

# The metrics from here to `workers` describe the whole service: every worker reads the same values
# from Postgres. Queries must therefore take their maximum, not their sum.
queue_size = Gauge(
    "activelog_queue_size", "Due jobs waiting to start.", ("queue",), registry=registry
)
queue_oldest_age = Gauge(
    "activelog_queue_oldest_age_seconds",
    "Age of the oldest due job that is waiting.",
    ("queue",),
    registry=registry,
)
queue_running = Gauge(
    "activelog_queue_running", "Running jobs, in all workers.", ("queue",), registry=registry
)
queue_paused = Gauge(
    "activelog_queue_paused", "1 while the queue is paused.", ("queue",),
    registry=registry,
)  # fmt: skip
outbox_lag = Gauge(
    "activelog_outbox_lag_seconds",
    "Age of the oldest due job that is not recorded as dispatched to Redis.",
    registry=registry,
)
jobs_waiting = Gauge(
    "activelog_jobs_waiting", "Due jobs of a kind waiting to start.", ("kind",), registry=registry
)
jobs_blocked = Gauge(
    "activelog_jobs_blocked",
    "Jobs blocked on an unavailable dependency or a paused kind.",
    ("kind", "blocked_on"),
    registry=registry,
)
jobs_snoozed_age = Gauge(
    "activelog_jobs_snoozed_age_seconds",
    "Time since the oldest snoozed job of a kind was enqueued; 0 if none is snoozed.",
    ("kind",),
    registry=registry,
)
kind_handled = Gauge(
    "activelog_kind_handled",
    "1 if this worker has a handler for the kind, 0 if it only sees jobs of it.",
    ("kind",),
    registry=registry,
)
dead_letters = Gauge(
    "activelog_dead_letters",
    "Dead jobs not yet retried or discarded.",
    ("kind",),
    registry=registry,
)
kind_paused = Gauge(
    "activelog_kind_paused", "1 while the kind is paused.", ("kind",),
    registry=registry,
)  # fmt: skip
workers = Gauge(
    "activelog_workers",
    "Workers by state: alive, or lost without a clean shutdown.",
    ("state",),
    registry=registry,
)

loop_lag = Histogram(
    "activelog_loop_lag_seconds",
    "Delay of this process's event loop.",
    buckets=BUCKETS_S,
    registry=registry,
)

refused = Counter(
    "activelog_refused",
    "Requests refused because a limit was reached.",
    ("limit",),
    registry=registry,
)
rate_limits_degraded = Gauge(
    "activelog_rate_limits_degraded",
    "1 if Redis did not respond last time, so that this process applies rate limits on its own.",
    registry=registry,
)
connections_closed = Counter(
    "activelog_http_connections_closed",
    "Connections closed because their client sent no complete request (silent, or crowded: the"
    " oldest of too many) or did not read its response (stalled).",
    ("reason",),
    registry=registry,
)
body_bytes = Gauge(
    "activelog_http_body_bytes",
    "Bytes of the request bodies that this process holds.",
    registry=registry,
)
POOL = ("pool",)
_pool_limit = Gauge(
    "activelog_database_pool_limit",
    "Maximum number of connections in the pool.",
    POOL,
    registry=registry,
)
_pool_size = Gauge(
    "activelog_database_pool_size", "Open connections in the pool.", POOL, registry=registry
)
_pool_idle = Gauge(
    "activelog_database_pool_idle", "Idle connections in the pool.", POOL, registry=registry
)
_pool_waiting = Gauge(
    "activelog_database_pool_waiting",
    "Tasks waiting for a connection from the pool.",
    POOL,
    registry=registry,
)

schedules_checked = Gauge(
    "activelog_schedules_checked_timestamp_seconds",
    "When this worker last checked the schedules for due ticks.",
    registry=registry,
)
schedule_running = Gauge(
    "activelog_schedule_running_seconds",
    "Age of the oldest unfinished run; 0 if none is running.",
    ("schedule",),
    registry=registry,
)
schedule_runs = Gauge(
    "activelog_schedule_runs",
    "Finished runs still in the history, by outcome: done, dead, cancelled, skipped.",
    ("schedule", "outcome"),
    registry=registry,
)
schedule_duration = Gauge(
    "activelog_schedule_duration_seconds",
    "Duration of the last run that is done or dead.",
    ("schedule",),
    registry=registry,
)
schedule_last_success = Gauge(
    "activelog_schedule_last_success_timestamp_seconds",
    "When a run last succeeded.",
    ("schedule",),
    registry=registry,
)
schedule_failures = Gauge(
    "activelog_schedule_consecutive_failures",
    "Failed runs since the last success.",
    ("schedule",),
    registry=registry,
)
schedule_next_due = Gauge(
    "activelog_schedule_next_due_timestamp_seconds",
    "When the next tick is due; 0 while the schedule is paused.",
    ("schedule",),
    registry=registry,
)


class WatchedPool(Protocol):
    def get_max_size(self) -> int: ...
    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...


def watch_pool(name: str, pool: WatchedPool, waiting: Callable[[], int]) -> None:
    """Export the state of a pool at each scrape."""
    _pool_limit.labels(name).set_function(pool.get_max_size)
    _pool_size.labels(name).set_function(pool.get_size)
    _pool_idle.labels(name).set_function(pool.get_idle_size)
    _pool_waiting.labels(name).set_function(waiting)


CONTENT_TYPE = "text/plain; version=0.0.4"


def render() -> bytes:
    """Render the metrics in the Prometheus text format."""
    return generate_latest(registry)
