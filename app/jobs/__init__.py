"""Durable jobs: enqueued in one transaction, dispatched after its commit, finished in another."""

from app.jobs.enqueue import enqueue, enqueue_all
from app.jobs.handlers import handles, load_handlers
from app.jobs.job import Job, JobId, Queue
from app.jobs.run import Run

__all__ = [
    "Job",
    "JobId",
    "Queue",
    "Run",
    "enqueue",
    "enqueue_all",
    "handles",
    "load_handlers",
]
