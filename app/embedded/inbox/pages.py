"""The inbox's pages. What a letter says is text here: escaped, or in a frame without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.embedded.inbox.letters import Letter

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .45rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th, .quiet { color: var(--quiet); font-weight: normal; }
td:first-child { white-space: nowrap; }
iframe { background: #fff; border: 1px solid var(--line); height: 36rem; width: 100%; }
pre { border: 1px solid var(--line); overflow-x: auto; padding: .8rem; white-space: pre-wrap; }
"""
NO_LETTERS = '<p class="quiet">No letters yet. What the application sends arrives here.</p>'


def listing(letters: Sequence[Letter], most: int) -> str:
    rows = "".join(
        f'<tr><td class="quiet">{letter.received_at:%Y-%m-%d %H:%M:%S}</td>'
        f"<td>{escape(', '.join(letter.to))}</td>"
        f'<td><a href="/letters/{escape(letter.id)}">'
        f"{escape(letter.subject) or '(no subject)'}</a></td></tr>"
        for letter in letters
    )
    head = "<tr><th>Received (UTC)</th><th>To</th><th>Subject</th></tr>"
    more = f'<p class="quiet">Only the newest {most} are shown.</p>' if len(letters) == most else ""
    body = f"<table>{head}{rows}</table>{more}" if letters else NO_LETTERS
    return _page("Inbox", f"<h1>Inbox</h1>{body}", refresh=True)


def letter_page(letter: Letter) -> str:
    headers = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in letter.message.items()
    )
    parts = [
        f'<p><a href="/">Inbox</a> · <a href="/letters/{escape(letter.id)}/source">Source</a></p>',
        f"<h1>{escape(letter.subject) or '(no subject)'}</h1>",
    ]
    if letter.html is not None:
        inner = escape('<base target="_blank">' + letter.html)
        allowed = "allow-popups allow-popups-to-escape-sandbox"
        parts.append(f'<iframe title="Letter" sandbox="{allowed}" srcdoc="{inner}"></iframe>')
    if letter.text is not None:
        parts.append(f"<h2>Text</h2><pre>{escape(letter.text)}</pre>")
    parts.append(f"<h2>Headers</h2><table>{headers}</table>")
    return _page(letter.subject or "Letter", "".join(parts))


def _page(title: str, body: str, *, refresh: bool = False) -> str:
    again = '<meta http-equiv="refresh" content="5">' if refresh else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{again}<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )
