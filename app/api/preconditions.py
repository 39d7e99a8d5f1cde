"""`ETag`, `If-Match` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1).

A resource with an ETag can be changed only if it is still what the client last saw: of two devices
that send the same `If-Match`, the second gets 412.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from app.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


def tagged(resource: T) -> Response[T]:
    """Return the response with a resource and its ETag."""
    body: Any = msgspec.json.encode(resource)
    return with_etag(Response(body, media_type=MediaType.JSON))


def with_etag(response: Response[Any]) -> Response[Any]:
    """Add the ETag to a response whose content is the resource as encoded JSON."""
    response.headers["ETag"] = _etag(response.content)
    return response


class Preconditions:
    """The conditions of a request, injected into handlers as `preconditions`.

    False if there are none, so that the current state need not be read.
    """

    def __init__(self, request: Request[Any, Any, Any]) -> None:
        """Parse the headers.

        Raises:
            Invalid: a header is neither `*` nor a list of ETags in quotes.
        """
        self._is_read = request.method == "GET"
        self._if_match = _parse(request, "If-Match")
        self._if_none_match = _parse(request, "If-None-Match")

    def __bool__(self) -> bool:
        return self._if_match is not None or self._if_none_match is not None

    def check(self, resource: msgspec.Struct) -> None:
        """Check the conditions for changing a resource.

        Call this in the transaction that changes the resource, after locking it.

        Raises:
            HTTPException: a condition is false (412).
        """
        self._check(_etag(msgspec.json.encode(resource)))

    def respond(self, resource: T) -> Response[T]:
        """Return the response to a GET: 304 if the client already has this state.

        Raises:
            HTTPException: `If-Match` is false (412).
        """
        response = tagged(resource)
        etag = response.headers["ETag"]
        self._check(etag)
        if self._is_cached(etag):
            unchanged: Any = None
            return Response(unchanged, status_code=304, headers={"ETag": etag})
        return response

    def _check(self, etag: str) -> None:
        # The strong comparison: a weak ETag never matches, because ours are strong.
        if self._if_match is not None and not {"*", etag} & self._if_match:
            raise _failed("If-Match")
        if not self._is_read and self._is_cached(etag):
            raise _failed("If-None-Match")

    def _is_cached(self, etag: str) -> bool:
        """Compare weakly: `W/` does not matter."""
        return bool({"*", etag, f"W/{etag}"} & (self._if_none_match or set()))


def _etag(body: bytes) -> str:
    """Return the strong ETag of a resource: a hash of its JSON, which contains its stored state."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def _parse(request: Request[Any, Any, Any], name: str) -> set[str] | None:
    lines = request.headers.getall(name, [])
    if not lines:
        return None
    value = ", ".join(lines).strip(" \t")
    if value == "*":
        return {"*"}
    if not _TAGS.fullmatch(value):
        raise Invalid('Must be * or a list of ETags in quotes, such as "5f1c".', field=name)
    return set(re.findall(_TAG, value))


def _failed(name: str) -> HTTPException:
    reason = (
        "this has changed since you read it. Get it again, and repeat your change if it still"
        " applies."
        if name == "If-Match"
        else "the current ETag is one of those in the header."
    )
    return HTTPException(f"The {name} condition is false: {reason}", status_code=412)
