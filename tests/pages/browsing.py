"""Acting as a browser without scripts: reading the forms on a page and submitting them."""

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
    """A form with the values that a browser submits if the user changes nothing."""

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
        self._button_text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(attributes)
            self.forms.append(self._open)
        form = self._open
        if form is None:
            return
        match tag:
            case "input" if attributes.get("type") in {"checkbox", "radio"}:
                if "checked" in attributes:
                    form.fields[attributes["name"]] = attributes.get("value", "on")
            case "input":
                form.fields[attributes["name"]] = attributes.get("value", "")
            case "textarea":
                form.fields[attributes["name"]] = ""
            case "select":
                self._select = attributes["name"]
            case "option" if self._select and (
                "selected" in attributes or self._select not in form.fields
            ):
                form.fields[self._select] = attributes.get("value", "")
            case "button" if attributes.get("type") != "button":
                self._button_text = []

    def handle_data(self, data: str) -> None:
        if self._button_text is not None:
            self._button_text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag == "select":
            self._select = None
        if tag == "button" and self._button_text is not None and self._open is not None:
            self._open.button = " ".join("".join(self._button_text).split())
            self._button_text = None


def forms(response: httpx.Response) -> list[Form]:
    parser = _Forms()
    parser.feed(response.text)
    return parser.forms


def form(response: httpx.Response, action: str) -> Form:
    """Return the only form whose action ends with `action`."""
    (match,) = [form for form in forms(response) if form.action.endswith(action)]
    return match


async def submit(
    browser: httpx.AsyncClient, response: httpx.Response, action: str | None = None, **fields: Any
) -> httpx.Response:
    """Submit a form on a page with these fields changed.

    Without an action, submit the only form other than sign-out.
    """
    if action is None:
        (to_submit,) = [form for form in forms(response) if form.action != "/sign-out"]
    else:
        to_submit = form(response, action)
    return await browser.post(to_submit.action, data={**to_submit.fields, **fields})


async def sign_up(browser: httpx.AsyncClient, email: str = "kim@example.com") -> httpx.Response:
    """Create an account. The browser is signed in afterwards."""
    page = await browser.get("/sign-up")
    response = await submit(browser, page, "/sign-up", name="Kim", email=email, password=PASSWORD)
    assert response.status_code == 303, response.text
    return response


def sign_in_as(browser: httpx.AsyncClient, person: Person) -> None:
    """Replace the browser's cookies with a session for this person."""
    browser.cookies.clear()
    browser.cookies.set("__Host-session", person.token)


def redirect_path(response: httpx.Response) -> str:
    """Return the URL that a response redirects to, without its scheme and host."""
    return urlsplit(response.headers["location"])._replace(scheme="", netloc="").geturl()


def text_of(response: httpx.Response) -> str:
    """Return the text of a page, without its head and tags and with whitespace collapsed."""
    body = re.sub(r"(?s)<head>.*?</head>", " ", response.text)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())
