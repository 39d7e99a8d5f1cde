"""The worker: `arq worker.WorkerSettings`, built from the environment when arq asks for it.

The life of a job. Postgres holds the job's state; every arrow is a statement in sql/queries:

       insert_job, insert_jobs
         |
         v            claim                     finish, finish_many
      +--------+ -------------------> +---------+ --------------------------> +------+
      | queued |                      | running |                             | done |
      |        | <------------------- |         |                             +------+
      +--------+   release, reclaim   |         |   fail_or_cancel, reclaim   +------+
       ^     |                        |         | --------------------------> | dead |
       |     |        reschedule      |         |                             +------+
       |     |    +----------+ <----- |         |                              |    |
       |     |    | retrying |        |         |                              |    |
       |     |    | snoozed  | -----> +---------+                              |    |
       |     |    +----------+  claim      | fail_or_cancel; reschedule,       |    |
       |     | cancel  | cancel            | release and reclaim if a          |    |
       |     v         v                   v cancellation was requested        |    |
       |  +------------------------------------+       discard_group           |    |
       |  |             cancelled              | <-----------------------------+    |
       |  +------------------------------------+                                    |
       |                              retry_dead                                    |
       +----------------------------------------------------------------------------+

    insert_job,     app/jobs/enqueue.py, enqueue and enqueue_all: in the transaction that causes the
    insert_jobs       job; fan-outs and the cleanup insert many jobs with their own statements
    claim           worker/claim.py, Claimer: called by the claim loop with the ids that it popped
    finish          app/jobs/run.py, Run.completion: in one transaction with the job's last effect
    finish_many     worker/finish.py, Finisher: in batches, for jobs without a completion
    reschedule,     worker/outcome.py, record: after a failure, a snooze, an expiry
    fail_or_cancel    (worker/job_executor.py) or a cancellation (worker/runner.py)
    release         app/jobs/reclaim.py: by the job's own worker, when it is shutting down or finds
                      that it holds the job without running it
    reclaim         app/jobs/reclaim.py: by another worker, when the lease of the job's worker has
                      expired; after ten crashes in a row, a job becomes dead
    cancel          app/jobs/admin/jobs.py: for a running job, this only records the request; the
                      next heartbeat of the job's worker interrupts the job
    retry_dead,     app/jobs/admin/dead_letters.py: when an operator retries or discards dead
    discard_group     letters
    park, wake      change no state: worker/parking.py, by the worker that runs the relay. While a
                      job's kind is paused or its dependency is unavailable, `blocked_on` says so,
                      and the job is not claimed

Redis holds the ids of due jobs, but not their state. If an id is lost, the relay dispatches it
again:

    commit ---- dispatch ----> +-------------------+           +--------------------+
      app/jobs/redis_queue.py  | arq:queue:<queue> | -- pop -> | arq:taken:<worker> | -> claim,
    relay ----- dispatch ----> +-------------------+           +--------------------+    or drop
      worker/relay.py, every second: due jobs whose ids Redis lacks, such as retries, deferred jobs,
      and every job after a flush. An id whose row is not free is dropped. What a worker took and
      did not claim is dispatched again when the worker has ended

Idle workers block on the wakeup key, which gets an item from a dispatch or from a pop that leaves
ids behind.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from app.jobs.handlers import HANDLERS, Handlers, load_handlers
from app.settings import Settings
from app.settings.environment import (
    INVALID_SETTINGS_EXIT_CODE,
    SettingsError,
    environment_with_dotenv,
    report_error,
)
from worker.cron import Clock, postgres_clock
from worker.settings import worker_settings

WATCH_UNSUPPORTED = (
    "activelog: --watch is not supported, since arq would keep running the old code:"
    " use `just watch`, which starts a new process"
)


def worker_settings_from_environment(
    *, clock: Clock | None = postgres_clock, overrides: Handlers = MappingProxyType({})
) -> type:
    """Build the class that arq reads, from the environment and `.env`.

    Args:
        clock: the schedules' clock. If None, this worker fires no ticks.
        overrides: handlers that replace the registered ones.

    Raises:
        SystemExit: a setting is missing or wrong, or `arq` was called with --watch. stderr says
            what is wrong; the exit code is 2.
    """
    load_handlers()
    try:
        environ = environment_with_dotenv(os.environ, Path.cwd())
        settings, burst = Settings.from_env(environ), _is_burst()
        return worker_settings(
            settings, clock=clock, handlers={**HANDLERS, **overrides}, burst=burst
        )
    except SettingsError as error:
        report_error(error)
        raise SystemExit(INVALID_SETTINGS_EXIT_CODE) from None


def _is_burst() -> bool:
    """Tell whether the `arq` command was called with --burst.

    Raises:
        SystemExit: `arq` was called with --watch.
    """
    context = click.get_current_context(silent=True)
    if context and context.params.get("watch"):
        print(WATCH_UNSUPPORTED, file=sys.stderr)  # noqa: T201 # the one line that the user sees
        raise SystemExit(INVALID_SETTINGS_EXIT_CODE)
    return bool(context and context.params.get("burst"))


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return worker_settings_from_environment()
