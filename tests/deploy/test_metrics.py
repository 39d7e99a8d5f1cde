"""The service serves every metric and label that dashboards and alerts query."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.conftest import RunningService
from tests.deploy.queries import Query, queries, selectors
from tests.support.working import eventually

Values = Mapping[str, set[str]]
"""The values of each label of a metric."""

ALERT_LABELS = ("alertname", "alertstate", "severity", "kind", "queue", "schedule")
BUILT_IN: Mapping[str, Values] = {
    "up": {},
    "ALERTS": {label: set() for label in ALERT_LABELS},
}
NOT_PRODUCED_HERE = {("activelog_http_requests_total", "status")}
"""Labels that queries match with values that a healthy service does not produce, such as 5xx."""
SCRAPED = {"job": {"activelog-api", "activelog-worker"}, "instance": set[str]()}


async def test_every_queried_metric_and_label_is_served(service: RunningService) -> None:
    await eventually(lambda: _dead_letters_are_shown(service), True)
    shown = _values_by_metric(await service.expositions())
    wrong = [complaint for query in queries() for complaint in _complaints(query, shown)]
    assert not wrong, "\n".join(wrong)


async def _dead_letters_are_shown(service: RunningService) -> bool:
    text = (await service.expositions())["activelog-worker"]
    return 'activelog_dead_letters{kind="report:generate"} 1.0' in text


def _values_by_metric(expositions: Mapping[str, str]) -> dict[str, Values]:
    found: dict[str, defaultdict[str, set[str]]] = {}
    for text in expositions.values():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = found.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    labels[label].add(value)
    return {**found, **BUILT_IN}


def _complaints(query: Query, shown: Mapping[str, Values]) -> list[str]:
    found = []
    for metric, labels, matchers in selectors(query.expression):
        if metric not in shown:
            found.append(f"{query.where}: there is no {metric}")
            continue
        values = {**shown[metric], **SCRAPED}
        found += [f"{query.where}: {metric} has no {label}" for label in labels - set(values)]
        found += [
            f"{query.where}: no {metric} with {matcher}"
            for matcher in matchers
            if values.get(matcher.name)
            and (metric, matcher.name) not in NOT_PRODUCED_HERE
            and not any(_matches(matcher, value) for value in values[matcher.name])
        ]
    return found


def _matches(matcher: promql.Matcher, value: str) -> bool:
    equal = matcher.value == value
    like = re.fullmatch(matcher.value, value) is not None
    match str(matcher.op):
        case "MatchOp.Equal":
            return equal
        case "MatchOp.NotEqual":
            return not equal
        case "MatchOp.Re":
            return like
        case _:
            return not like
