"""Durable jobs: enqueued in a transaction, handed to Redis after it, finished in another."""

from app.jobs.job import Job, JobId
from app.jobs.outbox import enqueue
from app.jobs.run import Run

__all__ = ["Job", "JobId", "Run", "enqueue"]
