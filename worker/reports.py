"""The monthly reports' fan-out."""

from __future__ import annotations

from app.jobs import Run
from app.reports import monthly
from app.reports.jobs import MonthlyReports
from app.resources import Resources
from worker.handler import handles


@handles(MonthlyReports)
async def fan_out_reports(job: MonthlyReports, run: Run, _: Resources) -> None:
    await monthly.fan_out_reports(run, job.day.replace(day=1))
