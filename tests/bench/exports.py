"""Exports of any size, compared with psql, and with a cursor and Python's csv module."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from app import logs
from app.embedded.home import ROOT
from app.resources import Resources, open_resources
from app.settings import Settings
from tests.bench.benchmarks.exporting import (
    add_user_with_activities,
    download,
    export,
    psql_copy,
    upload_file,
)
from tests.bench.benchmarks.lagging import FILE_VARIABLE, lags, p99
from tests.bench.environment import Environment
from tests.bench.services import Growth, Service, service
from tests.bench.table import Row
from tests.support.exports import CSV
from tests.support.people import Person

NEEDS = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")
VERSIONS = ("asyncpg", "aioboto3", "litestar", "uvicorn", "uvloop", "fpdf2")
NOTES = (
    "One API process, one worker; the downloading client discards the CSV's bytes. The worker, "
    "the PDF processes and the bucket run at lower priority (docs/decisions/0012). Four PDFs are "
    "requested at once; one processor is kept free of PDF rendering. `--only memory` takes the "
    "longest: one user has five million activities."
)

ROWS, MANY, PDF_ROWS = 1_000_000, 5_000_000, 50000
QUICK = 20
"""--quick divides the numbers of rows by this."""
EXPORT_TIMEOUT_S = 900
IDLE = 8
"""Seconds of API requests to measure before drawing starts: about as long as drawing takes."""
PDFS_AT_ONCE = 4
"""The number of PDFs requested at the same time."""
OURS, PSQL, CURSOR, BOTO = (
    "ActiveLog",
    "psql \\copy",
    "cursor and Python's csv",
    "boto3, finished file",
)


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    settings = Settings.from_env(environment.environ)
    logs.configure(replace(settings.logs, level="warning"))
    by = QUICK if quick else 1
    async with open_resources(settings, process="activelog-bench") as resources:
        await resources.bucket.create_if_missing()
        frame = Frame(environment, resources, rounds)
        parts: dict[str, Callable[[], Awaitable[list[Row]]]] = {
            "csv": partial(_csv, frame, ROWS // by),
            "drawing": partial(_drawing, frame, PDF_ROWS // by),
            "memory": partial(_memory, frame, MANY // by),
        }
        return [row for name, part in parts.items() if only in name for row in await part()]


@dataclass(frozen=True, slots=True)
class Frame:
    """The parameters that all parts share."""

    environment: Environment
    resources: Resources
    rounds: int

    @property
    def lag_file(self) -> Path:
        return self.environment.folder / "lag"

    def api(self) -> AbstractAsyncContextManager[Service]:
        return service(self.environment, "-m", "app.asgi", ready_path="/health/ready")

    def worker(self) -> AbstractAsyncContextManager[Service]:
        program = ("-m", "arq", "tests.bench.contenders.exports_worker.WorkerSettings")
        more = {FILE_VARIABLE: str(self.lag_file)}
        return service(self.environment, *program, ready_path="/health/ready", extra=more)

    def rival(self) -> AbstractAsyncContextManager[Service]:
        program = ("-m", "uvicorn", "tests.bench.contenders.csv_cursor:app", "--no-access-log")
        return service(self.environment, *program, "--port", "{port}")


async def _csv(frame: Frame, rows: int) -> list[Row]:
    """Measure CSV over HTTP and to S3, the contenders in turn."""
    who = await add_user_with_activities(frame.resources, "runner", rows)
    file = frame.environment.folder / "activities.csv"
    url = frame.environment.environ["DATABASE_URL"]
    seen: dict[str, list[float]] = {name: [] for name in (OURS, PSQL, CURSOR, BOTO, "s3")}
    async with frame.api() as api, frame.rival() as rival, frame.worker():
        for _ in range(frame.rounds):
            seen[PSQL].append(await psql_copy(url, who.id, str(file)))
            seen[OURS].append(await download(api.url + CSV, who.headers, rows))
            seen[CURSOR].append(await download(f"{rival.url}/{who.id}", {}, rows))
            seen["s3"].append(await export(frame.resources, who, "csv", within=EXPORT_TIMEOUT_S))
            seen[BOTO].append(await upload_file(frame.resources, file))
    took = {name: median(seconds) for name, seconds in seen.items()}
    return [*_over_http(rows, took), *_to_s3(rows, took)]


def _over_http(rows: int, took: dict[str, float]) -> list[Row]:
    what = f"CSV over HTTP, {rows:,} rows"
    to_psql, to_cursor = took[OURS] / took[PSQL], took[CURSOR] / took[OURS]
    return [
        Row(what, OURS, _rate(rows, took[OURS])),
        Row(what, PSQL, f"{_rate(rows, took[PSQL])}: ours takes {to_psql:.2f}x",
            "<= 1.25x", to_psql <= 1.25),
        Row(what, CURSOR, f"{_rate(rows, took[CURSOR])}: ours is {to_cursor:.1f}x as fast",
            ">= 4x", to_cursor >= 4),
    ]  # fmt: skip


def _to_s3(rows: int, took: dict[str, float]) -> list[Row]:
    what = f"CSV to S3, {rows:,} rows"
    slower = took["s3"] / max(took[PSQL], took[BOTO])
    return [
        Row(what, PSQL, _rate(rows, took[PSQL])),
        Row(what, BOTO, _rate(rows, took[BOTO])),
        Row(what, OURS, f"{_rate(rows, took['s3'])}: {slower:.2f}x the slower of the two",
            "<= 1.3x", slower <= 1.3),
    ]  # fmt: skip


def _rate(rows: int, seconds: float) -> str:
    return f"{seconds:.2f} s, {rows / seconds:,.0f} rows/s"


async def _memory(frame: Frame, rows: int) -> list[Row]:
    """Measure the memory for a large download and export, while another user sends API requests.

    Small ones run first, to load what is loaded only once.
    """
    small = await add_user_with_activities(frame.resources, "small", 1000)
    who = await add_user_with_activities(frame.resources, "marathon", rows)
    async with frame.api() as api, frame.worker() as worker:
        await download(api.url + CSV, small.headers, 1000)
        await export(frame.resources, small, "csv", within=60)
        idle = p99(await _response_times_during(api, small, asyncio.sleep(IDLE)))
        async with Growth(api) as of_api:
            downloading = p99(
                await _response_times_during(api, small, download(api.url + CSV, who.headers, rows))
            )
        async with Growth(worker) as of_worker:
            making = export(frame.resources, who, "csv", within=EXPORT_TIMEOUT_S)
            exporting = p99(await _response_times_during(api, small, making))
    return [
        Row(f"{rows:,} rows over HTTP", OURS, f"the API grows by {of_api.mebibytes:.1f} MiB",
            "< 64 MiB", of_api.mebibytes < 64),
        Row(f"{rows:,} rows to S3", OURS, f"the worker grows by {of_worker.mebibytes:.1f} MiB",
            "< 64 MiB", of_worker.mebibytes < 64),
        Row("GET /activities, idle", OURS, f"p99 {idle:.1f} ms"),
        Row(f"GET /activities while {rows:,} rows are sent over HTTP", OURS,
            f"p99 {downloading:.1f} ms: {downloading / idle:.1f}x"),
        Row(f"GET /activities while {rows:,} rows are sent to S3", OURS,
            f"p99 {exporting:.1f} ms: {exporting / idle:.1f}x"),
    ]  # fmt: skip


async def _drawing(frame: Frame, rows: int) -> list[Row]:
    """Measure API response times before and while PDFs are rendered, and the worker's loop lag."""
    people = [
        await add_user_with_activities(frame.resources, f"artist{n}", rows)
        for n in range(PDFS_AT_ONCE)
    ]
    idle, busy, lag = [], [], []
    async with frame.api() as api, frame.worker():
        for _ in range(frame.rounds):
            idle.append(p99(await _response_times_during(api, people[0], asyncio.sleep(IDLE))))
            noted = frame.lag_file.stat().st_size
            drawing = asyncio.gather(
                *(export(frame.resources, who, "pdf", within=EXPORT_TIMEOUT_S) for who in people)
            )
            busy.append(p99(await _response_times_during(api, people[0], drawing)))
            lag.append(p99(lags(frame.lag_file, noted)))
    what = f"while {PDFS_AT_ONCE} PDFs of {rows:,} rows are rendered"
    ratio = median(busy) / median(idle)
    return [
        Row("GET /activities, idle", OURS, f"p99 {median(idle):.1f} ms"),
        Row(f"GET /activities {what}", OURS, f"p99 {median(busy):.1f} ms: {ratio:.1f}x",
            "<= 2x", ratio <= 2),
        Row(f"event loop of the worker {what}", OURS, f"lag p99 {median(lag):.1f} ms",
            "< 100 ms", median(lag) < 100),
    ]  # fmt: skip


async def _response_times_during(
    api: Service, who: Person, meanwhile: Awaitable[object]
) -> list[float]:
    """Return the response times, in ms, of requests from another process while `meanwhile` runs."""
    asker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.contenders.asker", api.url, who.token),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
    )
    assert asker.stdout is not None  # set by stdout=PIPE
    try:
        await asker.stdout.readline()
        await meanwhile
        said, _ = await asker.communicate(b"")  # also closes its input
    finally:
        if asker.returncode is None:
            asker.kill()
            await asker.wait()
    return [float(milliseconds) for milliseconds in said.split()]
