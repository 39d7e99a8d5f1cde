"""A real Alertmanager emails firing alerts to the receiver in the environment."""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from pathlib import Path

import pytest
import trustme

from app.embedded.inbox import Inbox
from tests.deploy.alertmanager import PROGRAM, running_alertmanager
from tests.deploy.composition import composition, development
from tests.email.scripted import scripted_server
from tests.support.working import eventually, until

pytestmark = pytest.mark.skipif(
    PROGRAM is None and "CI" not in os.environ, reason="prometheus-alertmanager is not installed"
)

OPERATOR = "operator@activelog.example"
LABELS = {"alertname": "NoWorker", "severity": "critical", "ops": "https://activelog.example/ops"}
ANNOTATIONS = {
    "summary": "No worker is alive",
    "description": "Nobody gets an email or an export.",
    "runbook_url": "docs/operations/no-worker.md",
    "dashboard_url": "https://grafana.example/d/activelog-jobs?viewPanel=9",
    "silence": 'alertname="NoWorker", only while everything is stopped on purpose',
}


@pytest.fixture
def variables(smtp_inbox: tuple[Inbox, int]) -> dict[str, str]:
    """The variables from compose.yaml, with the tests' inbox as the mail server."""
    environment = composition(development())["services"]["alertmanager"]["environment"]
    return {
        **environment,
        "ALERTS_TO": OPERATOR,
        "ALERTS_FROM": "O'Brien's alerts <alerts@activelog.example>",
        "ALERTS_SMARTHOST": f"127.0.0.1:{smtp_inbox[1]}",
    }


async def test_firing_alert_is_emailed_with_its_links(
    variables: dict[str, str], inbox: Inbox, tmp_path: Path
) -> None:
    async with running_alertmanager(tmp_path, variables) as alertmanager:
        await alertmanager.fire(LABELS, ANNOTATIONS)
        await eventually(lambda: _count_emails(inbox), 1)
    (email,) = inbox.emails(OPERATOR)
    assert email.subject == "CRITICAL: NoWorker: No worker is alive"
    assert email.message["From"] == "O'Brien's alerts <alerts@activelog.example>"
    assert email.text is not None
    assert set(ANNOTATIONS.values()) <= set(_lines(email.text))


async def test_login_is_sent_after_starttls(variables: dict[str, str], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "trusted.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with scripted_server(tls=context) as server:
        changed = {
            **variables,
            "ALERTS_SMARTHOST": f"127.0.0.1:{server.port}",
            "ALERTS_USERNAME": "operator",
            "ALERTS_PASSWORD": "it's secret",
            "ALERTS_TLS": "true",
            "SSL_CERT_FILE": str(tmp_path / "trusted.pem"),
        }
        async with running_alertmanager(tmp_path, changed) as alertmanager:
            await alertmanager.fire(LABELS, ANNOTATIONS)
            await until(lambda: bool(server.accepted))
    login = b64encode(b"\0operator\0it's secret").decode()
    assert server.commands.index("STARTTLS") < server.commands.index(f"AUTH PLAIN {login}")


async def test_amtool_accepts_the_configuration(variables: dict[str, str], tmp_path: Path) -> None:
    async with running_alertmanager(tmp_path, variables) as alertmanager:
        checked = alertmanager.check_config()
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_password_may_contain_special_characters_and_is_kept_in_a_private_file(
    variables: dict[str, str], tmp_path: Path
) -> None:
    password = r"""a'b"c\d&e${ALERTS_TO}$f{{g}}#h: i"""
    changed = {**variables, "ALERTS_USERNAME": "operator", "ALERTS_PASSWORD": password}
    async with running_alertmanager(tmp_path, changed) as alertmanager:
        assert alertmanager.config()["global"]["smtp_auth_password"] == password
        assert alertmanager.config_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["ALERTS_TO", "ALERTS_FROM", "ALERTS_SMARTHOST"])
async def test_alertmanager_without_an_email_setting_starts_and_says_which_one_is_missing(
    name: str, variables: dict[str, str], tmp_path: Path
) -> None:
    async with running_alertmanager(tmp_path, {**variables, name: ""}) as alertmanager:
        await alertmanager.program.wait_for_output(f"alerts are not emailed. Not set: {name}.")
        assert await alertmanager.receivers() == ["nobody"]


async def _count_emails(inbox: Inbox) -> int:
    return len(inbox.emails(OPERATOR))


def _lines(text: str) -> list[str]:
    """Return the lines, without the label in front of a link."""
    return [line.partition(":  ")[2].strip() or line.strip() for line in text.splitlines()]
