"""Every metric of the service, in one registry a process."""

from __future__ import annotations

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

handed_over = Counter(
    "activelog_jobs_handed_over", "Ids given to Redis by this process.", registry=registry
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
taken_over = Counter(
    "activelog_jobs_taken_over", "Jobs of lost workers put back by this one.", registry=registry
)


def render() -> bytes:
    """The metrics in Prometheus's text format."""
    return generate_latest(registry)
