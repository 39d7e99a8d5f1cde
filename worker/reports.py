"""The monthly reports, and their fan-out."""

from __future__ import annotations

from app.jobs import Run
from app.reports import generation, monthly
from app.reports.jobs import MonthlyReports, ReportGenerate
from app.resources import Resources
from worker.attempt import handles


@handles(MonthlyReports)
async def fan_out_reports(job: MonthlyReports, run: Run, resources: Resources) -> None:
    month = job.day.replace(day=1)
    if job.dry_run:
        await monthly.count_reports(run, resources.database, month)
    else:
        await monthly.fan_out_reports(run, month)


@handles(ReportGenerate)
async def generate(job: ReportGenerate, run: Run, resources: Resources) -> None:
    bucket, renderer = resources.bucket, resources.renderer
    await generation.generate(run, bucket, renderer, job.user_id, job.month)
