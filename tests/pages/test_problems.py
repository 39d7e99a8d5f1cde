"""The pages of the problem types."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx
import pytest

from app import problems
from app.embedded.home import ROOT
from app.problems import PROBLEM_TYPES, ProblemType

SOURCES = [path.read_text() for path in Path(ROOT, "app").rglob("*.py")]


@pytest.mark.parametrize("problem", PROBLEM_TYPES.values(), ids=PROBLEM_TYPES)
async def test_problem_type_uri_is_a_page_that_says_what_happened_and_what_to_do(
    problem: ProblemType, api: httpx.AsyncClient
) -> None:
    response = await api.get(problem.uri)
    assert response.status_code == 200
    text = html.unescape(response.text)
    assert all(part in text for part in (problem.title, problem.cause, problem.remedy))
    assert problem.cause.endswith(".")
    assert problem.remedy.endswith(".")


def test_every_problem_type_is_used_and_named_after_its_constant() -> None:
    used = {name for text in SOURCES for name in re.findall(r"problem=problems\.([A-Z_]+)", text)}
    assert used == {name.upper() for name in PROBLEM_TYPES}
    assert all(getattr(problems, name.upper()).name == name for name in PROBLEM_TYPES)


async def test_unknown_problem_type_is_404(api: httpx.AsyncClient) -> None:
    assert (await api.get("/problems/nothing")).status_code == 404
