"""Whether Gmail and Outlook can show the emails, by the data of caniemail.com.

The linter is caniemail's, from npm. What it said of all emails stands in lint/result.json, with a
digest of the markup of each, so that the verdict needs no Node and holds for these emails only:
one that is new or changed is red until the linter is asked again, by

    npm install --prefix tests/email/lint && uv run python -m tests.email.test_html
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.email import Email
from tests.email.reading import html_of
from tests.email.test_emails import SAMPLES

FOLDER = Path(__file__).parent / "lint"
RESULT = FOLDER / "result.json"

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


class Markup(HTMLParser):
    """What the linter looks at: elements, attributes, styles and comments; no words, no links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._styles = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._styles = tag == "style"
        self.found.append(f"<{tag}>")
        self.found += [name if name == "href" else f"{name}={value}" for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self._styles:
            self.found.append(data)

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    @property
    def digest(self) -> str:
        return sha256("\n".join(self.found).encode()).hexdigest()[:16]


def digests() -> dict[str, str]:
    """Of the markup of every email."""
    return {name: Markup(html_of(email)).digest for name, email in sorted(SAMPLES.items())}


def linted(emails: Iterable[Email]) -> dict[str, Any]:
    """What the linter says of these emails together."""
    said: dict[str, dict[str, set[str]]] = {"errors": {}, "warnings": {}}
    for email in emails:
        html = html_of(email).encode()
        command = ["node", str(FOLDER / "lint.mjs")]
        answer = subprocess.run(command, input=html, capture_output=True, check=True)
        for kind, issues in json.loads(answer.stdout).items():
            for feature, clients in issues.items():
                said[kind].setdefault(feature, set()).update(clients)
    return {
        kind: {feature: sorted(clients) for feature, clients in sorted(issues.items())}
        for kind, issues in said.items()
    }


def kept() -> dict[str, Any]:
    verdict: dict[str, Any] = json.loads(RESULT.read_text())
    return verdict


def linter() -> str:
    """The one that package.json pins."""
    version = json.loads((FOLDER / "package.json").read_text())["dependencies"]["caniemail"]
    return f"caniemail {version}, Gmail and Outlook"


def test_every_letter_is_as_the_linter_saw_it() -> None:
    assert (kept()["linter"], kept()["letters"]) == (linter(), digests())


def test_what_is_not_supported_at_all_is_borne_for_a_reason() -> None:
    assert sorted(BEARABLE) == sorted(kept()["errors"])


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("border-radius: 9px", "border-radius: 8px", True),
        ("<h2 ", "<h3 ", True),
        ("Ada", "Eve", False),
    ],
)
def test_a_digest_tells_markup_apart_and_is_blind_to_words(old: str, new: str, seen: bool) -> None:
    html = html_of(SAMPLES["welcome"])
    assert old in html
    assert seen == (Markup(html).digest != Markup(html.replace(old, new)).digest)


if __name__ == "__main__":
    verdict = {"linter": linter(), "letters": digests(), **linted(SAMPLES.values())}
    RESULT.write_text(json.dumps(verdict, indent=1) + "\n")
