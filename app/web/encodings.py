"""Request bodies must arrive as they are: a limit on compressed bytes would limit nothing."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException


def refuse_content_encoding(request: Request[Any, Any, Any]) -> None:
    """Refuse a body with a `Content-Encoding`, before it is read.

    Raises:
        HTTPException: the body is encoded (415). The response's `Accept-Encoding` says that only
            `identity` is accepted (RFC 9110, section 15.5.16).
    """
    codings = ", ".join(request.headers.getall("content-encoding", []))
    if request.method != "GET" and codings.strip().lower() not in {"", "identity"}:
        raise HTTPException(
            "Send the body without a Content-Encoding.",
            status_code=415,
            headers={"Accept-Encoding": "identity"},
        )
