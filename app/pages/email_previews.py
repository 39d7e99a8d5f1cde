"""Every letter with sample data, for those who work on its words and looks: in development only."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any, Literal
from uuid import UUID

from litestar import MediaType, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.datastructures import ResponseHeader
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from app.email import Letter, Recipient, Stationery
from app.email.compose import compose
from app.email.email import LETTERS
from app.errors import NotFound
from app.pages.page import CONTENT_SECURITY_POLICY, page
from app.web.connection import resources_of

READER = Recipient(UUID(int=0), "Ada Lovelace", "ada@example.com")
DARK = "(prefers-color-scheme: dark)"

Scheme = Literal["light", "dark"]


def in_development(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """
    Raises:
        NotFound: this is no development.
    """
    if not resources_of(connection).settings.development:
        raise NotFound("Page not found.")


@get("/")
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "letters", letters=[known for known in sorted(LETTERS) if _shown(known)])


@get(
    "/{name:str}",
    response_headers=[
        ResponseHeader(
            name="Content-Security-Policy",
            value=f"{CONTENT_SECURITY_POLICY}; frame-src 'self'",
        )
    ],
)
async def letter(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """One letter in every way it can be seen."""
    source = _composed(resources_of(request).post.stationery, name)
    return page(
        request,
        "letter",
        letter=name,
        subject=str(_parsed(source)["Subject"]),
        text=_part(source, "plain"),
        source=source.decode(),
    )


@get(
    "/{name:str}/{scheme:str}",
    response_headers=[
        ResponseHeader(
            name="Content-Security-Policy",
            value="default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
        )
    ],
)
async def rendered(
    name: FromPath[str], scheme: FromPath[Scheme], request: Request[Any, Any, Any]
) -> Response[str]:
    """The HTML part, as a mail program shows it that prefers light or dark."""
    html = _part(_composed(resources_of(request).post.stationery, name), "html")
    return Response(in_scheme(html, scheme), media_type=MediaType.HTML)


def in_scheme(html: str, scheme: Scheme) -> str:
    """The letter as it looks in a scheme, whichever the browser prefers."""
    wanted = html.replace(DARK, "all" if scheme == "dark" else "not all")
    return wanted.replace("color-scheme: light dark", f"color-scheme: {scheme}")


def _shown(name: str) -> bool:
    return "sample" in vars(LETTERS[name])


def _composed(stationery: Stationery, name: str) -> bytes:
    """
    Raises:
        NotFound: there is no such letter.
    """
    if name not in LETTERS or not _shown(name):
        raise NotFound("There is no such email.")
    sample: Letter = LETTERS[name].sample()
    message = compose(stationery, READER, sample, "sample", datetime.now(UTC))
    return stationery.sealed(message)


def _parsed(source: bytes) -> EmailMessage:
    return message_from_bytes(source, EmailMessage, policy=modern)


def _part(source: bytes, kind: str) -> str:
    part = _parsed(source).get_body((kind,))
    return "" if part is None else str(part.get_content())


router = Router(
    "/dev/letters",
    route_handlers=[index, letter, rendered],
    guards=[in_development],
    opt={"anonymous": True},
)
