"""`HEAD` and `Allow`, for every path of the API and the pages.

Litestar does neither: it answers HEAD with 405, and the `Allow` of an OPTIONS response may lack
methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from litestar.routes import HTTPRoute
from litestar.routes.base import BaseRoute
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

_IS_HEAD = "activelog.is_head"


def methods_by_path(routes: Iterable[BaseRoute]) -> Mapping[str, frozenset[str]]:
    """Return the methods of each path template, HEAD included."""
    return {
        route.path_format: _with_head(route.methods)
        for route in routes
        if isinstance(route, HTTPRoute)
    }


async def answer(
    app: ASGIApp,
    methods: Mapping[str, frozenset[str]],
    scope: HTTPScope,
    receive: Receive,
    send: Send,
) -> None:
    """Run the application, and add what it omits about methods.

    - HEAD is handled as GET, without the body (RFC 9110, section 9.3.2). Handlers and guards see a
      GET. A response with a body that is expensive to produce checks `is_head`.
    - `Allow` lists all methods of the path, in responses to OPTIONS and in 405 (section 10.2.1).
    """
    method = scope["method"]
    without_body = method == "HEAD"
    inner = cast("HTTPScope", {**scope, "method": "GET", _IS_HEAD: True}) if without_body else scope

    async def send_completed(message: Message) -> None:
        if message["type"] == "http.response.start":
            if method == "OPTIONS" or message["status"] == 405:
                more = methods.get(inner.get("path_template") or "", frozenset())
                message["headers"] = [
                    (name, _allow(value, more)) if name.lower() == b"allow" else (name, value)
                    for name, value in message["headers"]
                ]
        elif without_body and message["type"] == "http.response.body":
            if message.get("more_body"):
                return
            message["body"] = b""
        await send(message)

    try:
        await app(inner, receive, send_completed)
    finally:
        if "path_template" in inner:
            scope["path_template"] = inner["path_template"]


def is_head(scope: Scope) -> bool:
    """Return whether the body will not be sent, because the request is a HEAD."""
    return _IS_HEAD in scope


def _allow(value: bytes, more: frozenset[str]) -> bytes:
    listed = (method.strip() for method in value.decode().split(","))
    return ", ".join(sorted(_with_head({*listed, *more}))).encode()


def _with_head(methods: Iterable[str]) -> frozenset[str]:
    found = frozenset(methods)
    return found | {"HEAD"} if "GET" in found else found
