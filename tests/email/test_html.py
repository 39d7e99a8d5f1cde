"""Whether Gmail and Outlook can show the letters, by the data of caniemail.com.

The linter is caniemail's, from npm. What it said of all letters stands in lint/result.json, with
the features that it was asked about, so that the test holds without Node: a feature that is new in
a letter fails it. Where the linter is installed, it is asked again. To install it and ask anew:

    npm install --prefix tests/email/lint && python -m tests.email.test_html
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.email import Letter
from tests.email.reading import html_of
from tests.email.test_letters import SAMPLES

FOLDER = Path(__file__).parent / "lint"
RESULT = FOLDER / "result.json"
LINTER = FOLDER / "node_modules" / "caniemail"

BEARABLE = {
    "<body> element": "Outlook for Mac takes a div for it, and all is in a table",
    "<style> element": "the rules stand inline too, all but those of phones and of the dark",
    "@media": "without it, a letter is in one column and light",
    "border-radius": "corners are square",
    "color-scheme CSS property": "Apple Mail reads it; the others darken letters in their own way",
    "color-scheme meta tag": "as the property",
    "display:none": "the preheader is one pixel high and of the page's colour",
    "max-height property": "the preheader again, which is hidden by mso-hide there",
    "role attribute": "only a screen reader takes notice",
    "word-break": "a name or a link without spaces is wider than its place",
}
"""What some Gmail or Outlook does not know at all, and why that is no harm."""


class Features(HTMLParser):
    """The elements, attributes, properties and at-rules of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(f"<{tag}>")
        for name, value in attrs:
            self.found.add(f"{name}=")
            if name == "style":
                self.found |= properties(value or "")

    def handle_data(self, data: str) -> None:
        if "{" in data:
            self.found |= set(re.findall(r"@[\w-]+ \([\w-]+|@[\w-]+", data))
            for block in re.findall(r"\{([^{}]*)\}", data):
                self.found |= properties(block)


def properties(declarations: str) -> set[str]:
    """Their names, with the values that caniemail tells apart."""
    pairs = [pair.partition(":")[::2] for pair in declarations.split(";") if ":" in pair]
    names = {f"{name.strip()}:" for name, _ in pairs}
    return names | {f"display:{value.split()[0]}" for name, value in pairs if "display" in name}


def features(letters: Iterable[Letter]) -> list[str]:
    return sorted({one for letter in letters for one in Features(html_of(letter)).found})


def linted(letters: Iterable[Letter]) -> dict[str, Any]:
    """What the linter says of these letters together."""
    said: dict[str, dict[str, set[str]]] = {"errors": {}, "warnings": {}}
    for letter in letters:
        html = html_of(letter).encode()
        command = ["node", str(FOLDER / "lint.mjs")]
        answer = subprocess.run(command, input=html, capture_output=True, check=True)
        for kind, issues in json.loads(answer.stdout).items():
            for feature, clients in issues.items():
                said[kind].setdefault(feature, set()).update(clients)
    return {
        kind: {feature: sorted(clients) for feature, clients in sorted(issues.items())}
        for kind, issues in said.items()
    }


def result() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(RESULT.read_text())
    return kept


def test_no_letter_has_what_the_linter_was_not_asked_about() -> None:
    assert [] == sorted(set(features(SAMPLES.values())) - set(result()["features"]))


def test_what_is_not_supported_at_all_is_borne_for_a_reason() -> None:
    assert sorted(BEARABLE) == sorted(result()["errors"])


@pytest.mark.skipif(
    not (LINTER.exists() and shutil.which("node")), reason="caniemail is not installed"
)
def test_the_linter_still_says_what_it_said() -> None:
    now = linted(SAMPLES.values())
    assert {kind: result()[kind] for kind in now} == now


if __name__ == "__main__":
    version = json.loads((LINTER / "package.json").read_text())["version"]
    kept = {
        "linter": f"caniemail {version}, Gmail and Outlook",
        "features": features(SAMPLES.values()),
        **linted(SAMPLES.values()),
    }
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")
