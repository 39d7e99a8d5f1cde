"""Every email with sample data, for those who work on its words and looks: in development only."""

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

from app.email import Email, EmailConfig, Recipient
from app.email.compose import compose
from app.email.email import EMAILS
from app.errors import NotFound
from app.pages.page import CONTENT_SECURITY_POLICY, render_page
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
    shown = [name for name in sorted(EMAILS) if _shown(name)]
    return render_page(request, "email_previews", templates=shown)


@get(
    "/{name:str}",
    response_headers=[
        ResponseHeader(
            name="Content-Security-Policy",
            value=f"{CONTENT_SECURITY_POLICY}; frame-src 'self'",
        )
    ],
)
async def email(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """One email in every way it can be seen."""
    source = _composed(resources_of(request).sender.config, name)
    return render_page(
        request,
        "email_preview",
        template=name,
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
    html = _part(_composed(resources_of(request).sender.config, name), "html")
    return Response(in_scheme(html, scheme), media_type=MediaType.HTML)


def in_scheme(html: str, scheme: Scheme) -> str:
    """The email as it looks in a scheme, whichever the browser prefers."""
    wanted = html.replace(DARK, "all" if scheme == "dark" else "not all")
    return wanted.replace("color-scheme: light dark", f"color-scheme: {scheme}")


def _shown(name: str) -> bool:
    return "sample" in vars(EMAILS[name])


def _composed(email_config: EmailConfig, name: str) -> bytes:
    """
    Raises:
        NotFound: there is no such email.
    """
    if name not in EMAILS or not _shown(name):
        raise NotFound("There is no such email.")
    sample: Email = EMAILS[name].sample()
    message = compose(email_config, READER, sample, "sample", datetime.now(UTC))
    return email_config.serialize(message)


def _parsed(source: bytes) -> EmailMessage:
    return message_from_bytes(source, EmailMessage, policy=modern)


def _part(source: bytes, kind: str) -> str:
    part = _parsed(source).get_body((kind,))
    return "" if part is None else str(part.get_content())


router = Router(
    "/dev/emails",
    route_handlers=[index, email, rendered],
    guards=[in_development],
    opt={"anonymous": True},
)
