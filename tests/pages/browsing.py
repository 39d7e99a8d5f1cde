"""A browser without scripts: it keeps cookies, reads forms and sends them."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.people import Person
from tests.users.people import PASSWORD


class Form:
    """A form of a page, as a browser without scripts would send it."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.action = attributes.get("action", "")
        self.method = attributes.get("method", "get")
        self.fields: dict[str, str] = {}
        self.button = ""


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select: str | None = None
        self._words: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(at)
            self.forms.append(self._open)
        form = self._open
        if form is None:
            return
        match tag:
            case "input" if at.get("type") in {"checkbox", "radio"}:
                if "checked" in at:
                    form.fields[at["name"]] = at.get("value", "on")
            case "input":
                form.fields[at["name"]] = at.get("value", "")
            case "textarea":
                form.fields[at["name"]] = ""
            case "select":
                self._select = at["name"]
            case "option" if self._select and ("selected" in at or self._select not in form.fields):
                form.fields[self._select] = at.get("value", "")
            case "button" if at.get("type") != "button":
                self._words = []

    def handle_data(self, data: str) -> None:
        if self._words is not None:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag == "select":
            self._select = None
        if tag == "button" and self._words is not None and self._open is not None:
            self._open.button = " ".join("".join(self._words).split())
            self._words = None


def forms(answer: httpx.Response) -> list[Form]:
    parser = _Forms()
    parser.feed(answer.text)
    return parser.forms


def form(answer: httpx.Response, action: str) -> Form:
    """The one form of a page whose action ends with `action`."""
    (found,) = [known for known in forms(answer) if known.action.endswith(action)]
    return found


async def press(
    browser: httpx.AsyncClient, answer: httpx.Response, action: str | None = None, **fields: Any
) -> httpx.Response:
    """Fill in a form of a page and send it. Without an action: the only one that is no sign-out."""
    if action is None:
        (found,) = [known for known in forms(answer) if known.action != "/sign-out"]
    else:
        found = form(answer, action)
    return await browser.post(found.action, data={**found.fields, **fields})


async def sign_up(browser: httpx.AsyncClient, email: str = "kim@example.com") -> httpx.Response:
    """Open an account at the browser, which is signed in after it."""
    asked = await browser.get("/sign-up")
    answer = await press(browser, asked, "/sign-up", name="Kim", email=email, password=PASSWORD)
    assert answer.status_code == 303, answer.text
    return answer


def come_as(browser: httpx.AsyncClient, somebody: Person) -> None:
    """The browser is theirs from now on."""
    browser.cookies.clear()
    browser.cookies.set("__Host-session", somebody.token)


def path_of(answer: httpx.Response) -> str:
    """Where a redirect leads."""
    return urlsplit(answer.headers["location"])._replace(scheme="", netloc="").geturl()


def words(answer: httpx.Response) -> str:
    """What a page says, without its tags."""
    body = re.sub(r"(?s)<head>.*?</head>", " ", answer.text)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())
