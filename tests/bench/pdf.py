"""PDFs from the PDF processes, compared with plain fpdf2 and its `table()`.

Times are CPU seconds of the PDF process, so other load hardly matters. Plain fpdf2 adds the
font to each document.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import NamedTuple

import msgspec
import psutil

from app.activities.totals import Row as Activity
from app.exports.export import DOCUMENT as EXPORT
from app.pdf import Renderer, open_renderer
from app.reports.report import DOCUMENT as REPORT
from tests.bench.environment import Environment
from tests.bench.printing import activities, export_header, report_header
from tests.bench.table import Row

NEEDS = ("DATABASE_URL",)
"""The measurements need no server, but the environment needs a database."""
VERSIONS = ("fpdf2", "fonttools", "msgspec")
NOTES = "CPU time of the PDF process in milliseconds, and its peak memory."

OURS, PLAIN = "ActiveLog", "plain fpdf2"
BATCH = 1000
REPORTS = 30
REPORT_ROWS, EXPORT_ROWS, MAX_ROWS = 22, 5000, 50_000
INTERVAL_S = 0.005
MEBIBYTE = 1024 * 1024


class Drawn(NamedTuple):
    seconds: float
    """CPU time per document."""
    memory: float
    """In MiB."""


async def bench(_: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    reports = [await _both(REPORT, _report, REPORT_ROWS, REPORTS) for _ in range(rounds)]
    exports = [await _both(EXPORT, _export, EXPORT_ROWS, 1) for _ in range(rounds)]
    count = EXPORT_ROWS if quick else MAX_ROWS
    most = await _ours(EXPORT, _export, count, 1)
    return [
        *_rows(f"a monthly report, {REPORT_ROWS} activities", reports, target=2),
        *_rows(f"an export of {EXPORT_ROWS:,} rows", exports, target=6),
        Row(f"the longest, {count:,} rows", OURS, _describe(most), "< 512 MiB", most.memory < 512),
        await _lag(),
    ]


def _rows(what: str, seen: Sequence[tuple[Drawn, Drawn]], target: float) -> list[Row]:
    ours, plain = (
        Drawn(median(one.seconds for one in contender), max(one.memory for one in contender))
        for contender in zip(*seen, strict=True)
    )
    ratio = plain.seconds / ours.seconds
    said = f"{_describe(ours)}: {ratio:.1f}x"
    return [
        Row(what, PLAIN, _describe(plain)),
        Row(what, OURS, said, f">= {target}x", ratio >= target),
    ]


def _describe(drawn: Drawn) -> str:
    return f"{drawn.seconds * 1000:,.0f} ms, {drawn.memory:.0f} MiB"


async def _both(
    document: str, header: Callable[[Sequence[Activity]], msgspec.Struct], count: int, many: int
) -> tuple[Drawn, Drawn]:
    return await _ours(document, header, count, many), await _plain(count, many)


async def _ours(
    document: str, header: Callable[[Sequence[Activity]], msgspec.Struct], count: int, many: int
) -> Drawn:
    rows = activities(count)
    async with open_renderer(1) as renderer:
        await _draw(renderer, document, header(rows[:1]), rows[:1])  # warm-up
        (process,) = (
            child
            for child in psutil.Process().children()
            if "app.pdf.subprocess" in child.cmdline()
        )
        before = sum(process.cpu_times()[:2])
        for _ in range(many):
            await _draw(renderer, document, header(rows), rows)
        spent = sum(process.cpu_times()[:2]) - before
        return Drawn(spent / many, _peak(process))


async def _draw(
    renderer: Renderer, document: str, header: msgspec.Struct, rows: Sequence[Activity]
) -> None:
    async with renderer.rendering(document, header) as rendering:
        for first in range(0, len(rows), BATCH):
            await rendering.send_rows(rows[first : first + BATCH])
        async for _ in await rendering.finish():
            pass


async def _plain(count: int, many: int) -> Drawn:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.contenders.plain_pdf", str(count), str(many)),
        stdout=PIPE,
    )
    watched, memory = psutil.Process(process.pid), 0.0
    answer = asyncio.create_task(process.communicate())
    while not answer.done():
        try:
            memory = max(memory, _peak(watched))
        except psutil.Error:  # the process has just ended
            break
        await asyncio.sleep(0.02)
    return Drawn(float((await answer)[0]), memory)


def _peak(process: psutil.Process) -> float:
    info = process.memory_info()
    return float(getattr(info, "peak_rss", info.rss)) / MEBIBYTE


async def _lag() -> Row:
    """Measure how late the event loop wakes while four documents are rendered at once."""
    rows, header = activities(EXPORT_ROWS), export_header()
    late: list[float] = []

    async def measure_lateness() -> None:
        while True:
            due = perf_counter() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            late.append(perf_counter() - due)

    async with open_renderer(4) as renderer:
        measuring = asyncio.create_task(measure_lateness())
        drawing = (_draw(renderer, EXPORT, header, rows) for _ in range(8))
        await asyncio.gather(*drawing)
        measuring.cancel()
    p99 = sorted(late)[int(len(late) * 0.99)] * 1000
    return Row(
        "event loop lag while 4 are rendered", OURS, f"p99 {p99:.0f} ms", "< 100 ms", p99 < 100
    )


def _report(rows: Sequence[Activity]) -> msgspec.Struct:
    return report_header(rows)


def _export(_: Sequence[Activity]) -> msgspec.Struct:
    return export_header()
