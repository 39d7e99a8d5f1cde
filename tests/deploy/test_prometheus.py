"""A real Prometheus scrapes the real service, and an alert leads operators to the cause.

Requires Debian's package prometheus, which CI installs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest

from app.embedded.home import ROOT
from app.resources import Resources
from tests.deploy.conftest import RunningService
from tests.deploy.prometheus import LINKS, PROGRAM, Prometheus, running_prometheus
from tests.deploy.queries import queries
from tests.support.processes import program
from tests.support.working import eventually

pytestmark = pytest.mark.skipif(
    PROGRAM is None and "CI" not in os.environ, reason="prometheus is not installed"
)

EMPTY_WHEN_HEALTHY = re.compile(r'ALERTS|status=~"5')
"""Queries that return nothing while nothing is wrong."""
BROKEN = """
insert into jobs (kind, queue, payload)
values ('email:welcome', 'critical', '{"user_id": "nobody"}')
returning id
"""
REPAIR = """
update jobs set payload = jsonb_build_object('user_id', (select id from users limit 1))
where id = $1
"""


async def test_every_panel_has_data_and_every_rule_can_be_evaluated(
    service: RunningService, tmp_path: Path
) -> None:
    async with running_prometheus(service, tmp_path) as prometheus:
        await eventually(lambda: _is_scraped(prometheus), True)
        await service.sign_up("second")
        await eventually(lambda: _shows_sent_emails(prometheus), True)
        await eventually(lambda: _empty_panels(prometheus), [])
        assert [] == await prometheus.broken_rules()


async def test_dead_letter_is_found_and_retried_by_following_the_alert_and_its_runbook(
    service: RunningService, opened: Resources, tmp_path: Path
) -> None:
    async with running_prometheus(service, tmp_path) as prometheus:
        await eventually(lambda: _is_scraped(prometheus), True)
        job_id = await opened.database.fetchval(BROKEN)
        await eventually(lambda: _firing(prometheus), ["email:welcome"])
        (alert,) = [
            firing
            for firing in await prometheus.alerts()
            if firing["labels"]["alertname"] == "DeadLettersGrowing"
        ]
    assert f"{LINKS['OPS']}/dead-letters" in alert["annotations"]["description"]
    runbook = (ROOT / alert["annotations"]["runbook_url"]).read_text()
    assert "just jobs dead" in runbook
    (group,) = [
        group
        for group in msgspec.json.decode(await _run_recipe(service, "jobs", "dead", "--json"))
        if group["kind"] == alert["labels"]["kind"]
    ]
    assert group["sample_job_id"] == str(job_id)
    assert "ValidationError" in group["error"]
    await opened.database.execute(REPAIR, job_id)
    assert "just jobs dead --retry FINGERPRINT" in runbook
    await _run_recipe(service, "jobs", "dead", "--retry", group["fingerprint"])
    await eventually(lambda: _state(opened, job_id), "done")


async def _is_scraped(prometheus: Prometheus) -> bool:
    return await prometheus.count_scrapes() >= 3


async def _empty_panels(prometheus: Prometheus) -> list[str]:
    """Return the panels without data, except those that are empty on a healthy system."""
    return [
        query.where
        for query in queries()
        if not await prometheus.query(query.expression)
        and ":" in query.where
        and not EMPTY_WHEN_HEALTHY.search(query.expression)
    ]


async def _shows_sent_emails(prometheus: Prometheus) -> bool:
    sent = await prometheus.query('sum(increase(activelog_emails_total{outcome="sent"}[5m])) > 0')
    return bool(sent)


async def _firing(prometheus: Prometheus) -> list[str]:
    return [
        alert["labels"]["kind"]
        for alert in await prometheus.alerts()
        if alert["labels"]["alertname"] == "DeadLettersGrowing" and alert["state"] == "firing"
    ]


async def _run_recipe(service: RunningService, *arguments: str) -> str:
    """Run the command of a recipe in the justfile, and return the last line of its output."""
    async with program("-m", "app", *arguments, environ=service.environ) as command:
        assert await command.ended() == 0, command.output
    return command.output.splitlines()[-1]


async def _state(opened: Resources, job_id: object) -> str:
    return str(await opened.database.fetchval("select state from jobs where id = $1", job_id))
