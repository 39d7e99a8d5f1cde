"""Suspects: jobs that were running in two crashes run next in a process of their own.

If the process dies once it has the job in hand, the job is to blame, and no other job is affected.
`python -m worker.suspects` is that process. It gets the job on its standard input, which the worker
keeps open as long as the worker is alive. On its standard output it writes a line just before it
tries the job, and then how the attempt ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, BinaryIO, cast
from uuid import UUID

import msgspec
import structlog

from app import logs
from app.errors import Unavailable
from app.jobs import Job, Run, statements
from app.jobs.handlers import Handler
from app.jobs.outcomes import LeaseLost
from app.jobs.pauses import Pauses
from app.jobs.rows import ClaimedJob
from app.resources import open_resources
from app.settings import Settings
from app.settings.environment import environment_with_dotenv
from worker.breakers import Breakers
from worker.job_executor import JobExecutor
from worker.outcome import Outcome

log = structlog.get_logger()

MEMORY_BYTES = 1024 * 1024 * 1024
"""The memory limit of a suspect's process. Only Linux enforces it."""
TERMINATION_S = 5.0
"""How long the process may take to end after SIGTERM, before SIGKILL."""
TIMEOUT_MARGIN_S = 30.0
"""How much longer than the job's timeout the process may live, if it cannot time the job out."""
TERMINATED = 143
"""The exit code that shells report for a process ended by SIGTERM: 128 + 15."""
START_FAILED_DELAY = timedelta(minutes=1)
PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""
STARTED = b"started\n"


class Suspect(msgspec.Struct, frozen=True):
    """What the process needs to know. The type and the handler are written `module:name`."""

    claimed: ClaimedJob
    worker_id: UUID
    job_type: str
    handler: str


class Ending(msgspec.Struct, frozen=True):
    """How the attempt ended in the process."""

    outcome: Outcome | None
    """None if the attempt has lost its job."""
    finished: bool
    """Whether `Run.completion` has committed."""


async def run_in_own_process(
    job_type: type[Job], handler: Handler, run: Run, worker_id: UUID
) -> Outcome:
    """Call a job's handler in a process of its own.

    If the process dies while it runs the job, the job becomes dead. If it dies before that, or
    cannot start, the job is snoozed for a minute; if SIGTERM ended it, for a second.

    Raises:
        LeaseLost: this attempt has lost its job.
        CancelledError: the job was cancelled or lost, or the worker is stopping. The process has
            ended.
    """
    log.warning("job.suspected", crashes=run.claimed.crashes)
    suspect = Suspect(run.claimed, worker_id, _reference(job_type), _reference(handler))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker.suspects"),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for the worker, which then ends the process
        )
    except OSError as error:
        return _not_started(f"the job's own process could not start: {error}")
    try:
        async with asyncio.timeout(job_type.timeout.total_seconds() + TIMEOUT_MARGIN_S):
            output = await _ask(process, msgspec.json.encode(suspect))
    except TimeoutError:
        return Outcome("dead", "the job's own process did not end in time", failed=True)
    finally:
        await _end(process)
    return _outcome_of(process.returncode or 0, output, run)


def _outcome_of(exit_code: int, output: bytes, run: Run) -> Outcome:
    if exit_code in (TERMINATED, -signal.SIGTERM):
        delay = timedelta(seconds=1)
        return Outcome("snoozed", "the job's own process was stopped", delay=delay, started=False)
    ended = (
        f"was killed by {signal.Signals(-exit_code).name}"
        if exit_code < 0
        else f"ended with exit code {exit_code}"
    )
    if not output.startswith(STARTED):
        return _not_started(f"the job's own process {ended} before the job started")
    answer = output.removeprefix(STARTED)
    if exit_code or not answer:
        return Outcome("dead", f"the job's own process {ended}", failed=True)
    ending = msgspec.json.decode(answer, type=Ending)
    run.finished = ending.finished
    if ending.outcome is None:
        raise LeaseLost
    return ending.outcome


def _not_started(reason: str) -> Outcome:
    return Outcome("snoozed", reason, delay=START_FAILED_DELAY, started=False)


async def _ask(process: Process, question: bytes) -> bytes:
    """Send the question, and return the process's output once it has ended."""
    # The input stays open: when it ends, the worker has died.
    cast("asyncio.StreamWriter", process.stdin).write(question + b"\n")
    output = await cast("asyncio.StreamReader", process.stdout).read()
    await process.wait()
    return output


async def _end(process: Process) -> None:
    """End the process: with SIGTERM, then SIGKILL if it takes too long or we are cancelled."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(TERMINATION_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise


def _reference(definition: Callable[..., object]) -> str:
    return f"{definition.__module__}:{definition.__qualname__}"


def _resolve(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(import_module(module), name)


def main() -> int:
    """Run the suspect described on standard input, and return the exit code."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as output:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps prints out of the answer
        suspect = msgspec.json.decode(sys.stdin.buffer.readline(), type=Suspect)
        _die_with_worker()
        try:
            ending = asyncio.run(_run(suspect, output))
        except asyncio.CancelledError:
            return TERMINATED
        output.write(msgspec.json.encode(ending))
    return 0


def _die_with_worker() -> None:
    """End this process as soon as the worker has died."""
    if sys.platform == "linux":  # works even if the job never lets another thread run
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    Thread(target=_exit_at_end_of_input, daemon=True).start()


def _exit_at_end_of_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


async def _run(suspect: Suspect, output: BinaryIO) -> Ending:
    task = cast("asyncio.Task[Ending]", asyncio.current_task())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    settings = Settings.from_env(environment_with_dotenv(os.environ, Path.cwd()))
    logs.configure(settings.logs)
    logs.ATTEMPT.set(suspect.claimed)
    async with open_resources(settings, process="activelog-suspect") as resources:
        database, pauses = resources.engine_database, Pauses()
        try:
            pauses.update(
                await statements.pauses(database), await statements.blocked_kinds(database)
            )
        except Unavailable as error:
            delay = timedelta(seconds=1)
            outcome = Outcome("snoozed", error.detail, delay=delay, started=False)
            return Ending(outcome, finished=False)
        breakers = Breakers(database, suspect.worker_id, pauses, monotonic)
        handlers = {_resolve(suspect.job_type): _resolve(suspect.handler)}
        random_float = random.SystemRandom().random
        executor = JobExecutor(resources, breakers, random_float, handlers)
        run = Run(resources.database, suspect.claimed)
        output.write(STARTED)
        output.flush()
        try:
            outcome = await executor(run)
        except LeaseLost:
            return Ending(None, finished=False)
        return Ending(outcome, run.finished)


if __name__ == "__main__":
    sys.exit(main())
