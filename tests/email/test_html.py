"""Whether Gmail and Outlook can show the emails, according to the data from caniemail.com.

The linter is the npm package caniemail. lint/result.json contains its result for all emails and a
digest of each email's markup, so the tests do not need Node. If an email is new or its markup has
changed, the tests fail until the linter is run again:

    npm install --prefix tests/email/lint && uv run --group dev python -m tests.email.test_html
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

ACCEPTED = {
    "<body> element": "Outlook for Mac replaces it with a div, and everything is in a table",
    "<style> element": "the rules are inline too, except those for phones and dark mode",
    "@media": "without it, an email has light colours and the layout for wide screens",
    "border-radius": "corners are square",
    "color-scheme CSS property": "Apple Mail reads it; the others have dark modes of their own",
    "color-scheme meta tag": "same as for the property",
    "display:none": "the preheader is also one pixel high and in the page's colour",
    "max-height property": "used for the preheader, which mso-hide hides in Outlook",
    "role attribute": "only screen readers use it",
    "word-break": "a long name or link without spaces overflows its cell",
}
"""Features that some version of Gmail or Outlook does not support, and why that is acceptable."""


class Markup(HTMLParser):
    """The parts of HTML that the linter checks: elements, attributes, styles and comments."""

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
    """Return a digest of every email's markup."""
    return {name: Markup(html_of(email)).digest for name, email in sorted(SAMPLES.items())}


def lint(emails: Iterable[Email]) -> dict[str, Any]:
    """Run the linter on these emails, and return the combined issues."""
    found: dict[str, dict[str, set[str]]] = {"errors": {}, "warnings": {}}
    for email in emails:
        html = html_of(email).encode()
        command = ["node", str(FOLDER / "lint.mjs")]
        result = subprocess.run(command, input=html, capture_output=True, check=True)
        for kind, issues in json.loads(result.stdout).items():
            for feature, clients in issues.items():
                found[kind].setdefault(feature, set()).update(clients)
    return {
        kind: {feature: sorted(clients) for feature, clients in sorted(issues.items())}
        for kind, issues in found.items()
    }


def stored_result() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(RESULT.read_text())
    return result


def linter() -> str:
    """Return the linter's name and pinned version, and the clients that it checks."""
    version = json.loads((FOLDER / "package.json").read_text())["dependencies"]["caniemail"]
    return f"caniemail {version}, Gmail and Outlook"


def test_stored_lint_result_is_current_for_every_email() -> None:
    assert (stored_result()["linter"], stored_result()["emails"]) == (linter(), digests())


def test_unsupported_features_are_exactly_those_accepted_with_a_reason() -> None:
    assert sorted(ACCEPTED) == sorted(stored_result()["errors"])


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("border-radius: 9px", "border-radius: 8px", True),
        ("<h2 ", "<h3 ", True),
        ("Ada", "Eve", False),
    ],
)
def test_digest_depends_on_markup_and_not_on_words(old: str, new: str, changes: bool) -> None:
    html = html_of(SAMPLES["welcome"])
    assert old in html
    assert changes == (Markup(html).digest != Markup(html.replace(old, new)).digest)


if __name__ == "__main__":
    result = {"linter": linter(), "emails": digests(), **lint(SAMPLES.values())}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
