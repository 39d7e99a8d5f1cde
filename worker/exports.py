"""Making exports."""

from __future__ import annotations

from app.exports.generation import Tools, generate
from app.exports.jobs import ExportGenerate
from app.jobs import Run
from app.resources import Resources
from worker.attempt import handles


@handles(ExportGenerate)
async def generate_export(job: ExportGenerate, run: Run, resources: Resources) -> None:
    tools = Tools(resources.database, resources.snapshots, resources.bucket, resources.renderer)
    await generate(run, tools, job)
