"""Every alert is tested, explained, and linked to its runbook and panel."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.__main__ import app
from app.embedded.home import ROOT
from tests.deploy.composition import OUR_SERVICES
from tests.deploy.queries import DASHBOARDS, DEPLOY, alerts, panels

RUNBOOKS = ROOT / "docs" / "operations"
TESTS = (DEPLOY / "alerts_test.yml", DEPLOY / "alerts_days_test.yml")
HEADINGS = [
    "What it means",
    "What users notice",
    "How to investigate",
    "What to do",
    "When it is resolved",
]
ALERTS = alerts()
NAMES = [alert["alert"] for alert in ALERTS]


def runbook(alert: dict[str, Any]) -> Path:
    link: str = alert["annotations"]["runbook_url"]
    return RUNBOOKS / link.removeprefix("{{ $externalLabels.runbooks }}/")


def panels_linked_from(alert: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the panels that the alert links to, each with its dashboard's title."""
    files = {file.stem: file for file in DASHBOARDS}
    found = []
    for uid, number in re.findall(
        r"([\w-]+)\?viewPanel=(\d+)", alert["annotations"]["dashboard_url"]
    ):
        (panel,) = [panel for panel in panels(files[uid]) if panel["id"] == int(number)]
        found.append((json.loads(files[uid].read_text())["title"], panel))
    return found


def kebab_case(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_alert_has_all_annotations_and_links_to_panels_that_mention_it(
    alert: dict[str, Any],
) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    annotations = alert["annotations"]
    assert {"summary", "description", "runbook_url", "dashboard_url", "silence"} == set(annotations)
    assert f'alertname="{alert["alert"]}"' in annotations["silence"]
    linked = panels_linked_from(alert)
    assert linked
    assert all(alert["alert"] in panel["description"] for _, panel in linked)


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_alert_has_a_complete_runbook_that_operations_md_lists(alert: dict[str, Any]) -> None:
    page = runbook(alert)
    assert page.stem == kebab_case(alert["alert"])
    text = page.read_text()
    assert text.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    row = f"| [{alert['alert']}](operations/{page.name}) | {alert['labels']['severity']} |"
    assert row in (ROOT / "docs" / "operations.md").read_text()
    words = " ".join(text.split())
    for dashboard, panel in panels_linked_from(alert):
        assert f"**{dashboard}**" in words
        assert f"*{panel['title']}*" in words


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {page.name for page in RUNBOOKS.glob("*.md")} == {
        runbook(alert).name for alert in ALERTS
    }


def test_every_alert_is_tested_both_firing_and_silent() -> None:
    seen: defaultdict[str, set[bool]] = defaultdict(set)
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for check in test.get("promql_expr_test", []):
                (name,) = re.findall(r'alertname="(\w+)"', check["expr"])
                seen[name].add(bool(check["exp_samples"]))
    assert dict(seen) == {name: {True, False} for name in NAMES}


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboard_panels_are_complete_and_do_not_overlap(file: Path) -> None:
    dashboard = json.loads(file.read_text())
    assert dashboard["uid"] == file.stem
    every = dashboard["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    for panel in panels(file):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], panel["id"]
        assert panel["description"], panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"], panel["title"]
        assert panel["datasource"]["uid"] == "prometheus", panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboard_lists_the_firing_alerts_that_link_to_it(file: Path) -> None:
    listed = set(re.findall(r'alertname=~\\"([^"\\]+)', file.read_text()))
    assert len(listed) == 1
    (names,) = listed
    linking = [a["alert"] for a in ALERTS if f"{file.stem}?" in a["annotations"]["dashboard_url"]]
    assert [] == [name for name in linking if not re.fullmatch(names, name)]
    unused = [one for one in names.split("|") if not any(re.fullmatch(one, n) for n in NAMES)]
    assert unused == []


EXAMPLES = {"ID": "0197e5a0-0000-7000-8000-000000000000", "SCHEDULE": "stats:daily", "QUEUE": "low"}
"""Example values for the placeholders that need a value in a particular format."""


IN_A_CONTAINER = re.compile(
    r"docker compose (?:exec|run --rm --no-deps) (?P<service>\w+) python -m (?P<module>[\w.]+) "
)


def commands() -> list[tuple[str, str]]:
    pages = [*RUNBOOKS.glob("*.md"), ROOT / "docs" / "operations.md"]
    found = [
        (page.name, line.strip())
        for page in pages
        for line in page.read_text().splitlines()
        if line.startswith("    ")
    ]
    ours = {
        (page, line)
        for page, line in found
        if line.startswith("just ") or IN_A_CONTAINER.match(line)
    }
    return sorted(ours)


def test_runbook_with_just_recipes_also_shows_how_to_run_the_commands_without_just() -> None:
    """docs/operations.md, which is not checked here, explains the commands in more detail."""
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text()
        recipes = set(re.findall(r"^ {4,}just (\w+)", text, re.MULTILINE))
        modules = set(re.findall(r"`docker compose exec api python -m ([\w.]+)`", text))
        assert ("app" in modules) == bool(recipes), page.name


@pytest.mark.parametrize(("page", "line"), commands())
def test_command_in_a_runbook_or_operations_md_is_valid(page: str, line: str) -> None:
    """The recipe exists or the service runs our image, and the program accepts the arguments."""
    if inside := IN_A_CONTAINER.match(line):
        assert inside["service"] in OUR_SERVICES, page
        words = line[inside.end() :].split()
    else:
        recipe, *words = line.partition("#")[0].split()[1:]
        recipes = (ROOT / "justfile").read_text()
        assert re.search(rf"^{recipe}( \*args)?:", recipes, re.MULTILINE), page
        words = [recipe, *words]
    arguments = [EXAMPLES.get(word, word) for word in words]
    app.parse_args(arguments, exit_on_error=False, print_error=False)
