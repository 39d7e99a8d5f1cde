"""Every query in the dashboards and alerts, and the metrics and labels that it uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

from app.embedded.home import ROOT

DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
WINDOW = "1m"
"""Replaces Grafana's `$__rate_interval`, which depends on the scrape interval."""


class Query(NamedTuple):
    where: str
    expression: str


class Selector(NamedTuple):
    """A metric, the labels that it is matched or grouped by, and the matchers."""

    metric: str
    labels: frozenset[str]
    matchers: tuple[promql.Matcher, ...]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read(DEPLOY / "alerts.yml")["groups"] for rule in group["rules"]]


def panels(file: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that have queries."""
    dashboard: dict[str, Any] = json.loads(file.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    for alert in alerts():
        yield Query(alert["alert"], alert["expr"])
    for file in DASHBOARDS:
        for panel in panels(file):
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", WINDOW)
                yield Query(f"{file.stem}: {panel['title']}", expression)


def selectors(expression: str) -> list[Selector]:
    """Return the selectors of a query. Their labels include those that they are grouped by."""
    found: list[Selector] = []

    def collect(expr: promql.Expr, grouped: frozenset[str]) -> None:
        def visit(node: promql.Expr) -> bool | None:
            if isinstance(node, promql.VectorSelector):
                matchers = tuple(node.matchers.matchers)
                labels = frozenset(matcher.name for matcher in matchers)
                found.append(Selector(str(node.name), labels | grouped, matchers))
            return None

        promql.walk(expr, visit)

    def aggregates(node: promql.Expr) -> bool | None:
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            collect(node.expr, frozenset(node.modifier.labels))
        return None

    parsed = promql.parse(expression)
    collect(parsed, frozenset())
    promql.walk(parsed, aggregates)
    return found
