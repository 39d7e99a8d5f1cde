"""The inbox over HTTP: pages for people, JSON for scripts."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.embedded.inbox.letters import Inbox, Letter
from app.embedded.inbox.pages import letter_page, listing

MOST = 500
"""Letters on one page."""
POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src * data:;"
    " frame-src 'self'; base-uri 'self'",
    "Referrer-Policy": "no-referrer",
}


def inbox_application(inbox: Inbox) -> Starlette:
    """Only under the names of this machine, so that no foreign page can reach it by DNS tricks."""

    def found(request: Request) -> Letter:
        letter = inbox.letter(request.path_params["id"])
        if letter is None:
            raise HTTPException(404)
        return letter

    async def home(_: Request) -> Response:
        return HTMLResponse(listing(inbox.letters(most=MOST), MOST), headers=POLICY)

    async def letters(_: Request) -> Response:
        return JSONResponse([_summary(letter) for letter in inbox.letters()])

    async def letter(request: Request) -> Response:
        return HTMLResponse(letter_page(found(request)), headers=POLICY)

    async def source(request: Request) -> Response:
        content = inbox.source(found(request).id)
        return PlainTextResponse(content, headers={"X-Content-Type-Options": "nosniff"})

    async def clear(_: Request) -> Response:
        inbox.clear()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/", home),
            Route("/letters", letters),
            Route("/letters", clear, methods=["DELETE"]),
            Route("/letters/{id}", letter),
            Route("/letters/{id}/source", source),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _summary(letter: Letter) -> dict[str, object]:
    return {
        "id": letter.id,
        "from": letter.sender,
        "to": letter.to,
        "subject": letter.subject,
        "received_at": letter.received_at.isoformat(),
    }
