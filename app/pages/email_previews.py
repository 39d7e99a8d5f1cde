"""Previews of emails with sample data, available only in development."""

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

RECIPIENT = Recipient(UUID(int=0), "Ada Lovelace", "ada@example.com")
DARK_MODE_QUERY = "(prefers-color-scheme: dark)"

Scheme = Literal["light", "dark"]


def development_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard the previews.

    Raises:
        NotFound: the service is not running in development.
    """
    if not resources_of(connection).settings.development:
        raise NotFound("Page not found.")


@get("/")
async def list_previews(request: Request[Any, Any, Any]) -> Response[str]:
    names = [name for name in sorted(EMAILS) if _has_sample(name)]
    return render_page(request, "email_previews", emails=names)


@get(
    "/{name:str}",
    response_headers=[
        ResponseHeader(
            name="Content-Security-Policy",
            value=f"{CONTENT_SECURITY_POLICY}; frame-src 'self'",
        )
    ],
)
async def show_preview(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Show an email as HTML in light and dark mode, as text and as source."""
    source = _compose_sample(resources_of(request).sender.config, name)
    return render_page(
        request,
        "email_preview",
        email=name,
        subject=str(_parse(source)["Subject"]),
        text=_body_part(source, "plain"),
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
async def show_html(
    name: FromPath[str], scheme: FromPath[Scheme], request: Request[Any, Any, Any]
) -> Response[str]:
    """Show the HTML part as a mail client in light or dark mode would."""
    html = _body_part(_compose_sample(resources_of(request).sender.config, name), "html")
    return Response(force_scheme(html, scheme), media_type=MediaType.HTML)


def force_scheme(html: str, scheme: Scheme) -> str:
    """Force this color scheme on an email's HTML, whatever the browser prefers."""
    html = html.replace(DARK_MODE_QUERY, "all" if scheme == "dark" else "not all")
    return html.replace("color-scheme: light dark", f"color-scheme: {scheme}")


def _has_sample(name: str) -> bool:
    return "sample" in vars(EMAILS[name])


def _compose_sample(email_config: EmailConfig, name: str) -> bytes:
    """Compose an email from its sample data.

    Raises:
        NotFound: no email has this name, or it has no sample.
    """
    if name not in EMAILS or not _has_sample(name):
        raise NotFound("There is no such email.")
    sample: Email = EMAILS[name].sample()
    message = compose(email_config, RECIPIENT, sample, "sample", datetime.now(UTC))
    return email_config.serialize(message)


def _parse(source: bytes) -> EmailMessage:
    return message_from_bytes(source, EmailMessage, policy=modern)


def _body_part(source: bytes, kind: str) -> str:
    part = _parse(source).get_body((kind,))
    return "" if part is None else str(part.get_content())


router = Router(
    "/dev/emails",
    route_handlers=[list_previews, show_preview, show_html],
    guards=[development_only],
    opt={"anonymous": True},
)
