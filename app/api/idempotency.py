"""`Idempotency-Key`: a client can repeat a POST without creating anything twice.

The response is stored for 24 hours, per user and route, in the transaction that runs the use
case. Without a user, it is stored per client address and route, so that the keys of strangers do
not collide. After a failure nothing is stored, so the client can retry with the same key. This
follows draft-ietf-httpapi-idempotency-key-header, except that the key need not be in quotes.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from app import problems
from app.api import statements
from app.errors import Conflict, Invalid
from app.postgres.database import Database, Transaction
from app.web.connection import client_address

T = TypeVar("T")

KEY_HEADER = "Idempotency-Key"
ANONYMOUS_ID = UUID(int=0)
"""The user id under which responses from public routes are stored."""


class IdempotentCreation:
    """Idempotent creation, injected into POST handlers as `create_once`."""

    def __init__(self, request: Request[Any, Any, Any], database: Database, secret: str) -> None:
        self._request = request
        self._database = database
        self._secret = secret

    async def __call__(
        self,
        create: Callable[[Transaction], Awaitable[T]],
        *,
        status: int = 201,
        location: str | None = None,
        content: bytes | None = None,
    ) -> Response[T]:
        """Run the use case in a transaction and return its response, or replay the first response.

        Args:
            create: the use case. If it fails, a repeated request runs it again.
            location: the path of what is created, for `Location`. Fields of the response in braces
                are replaced by their values.
            content: what repeated requests must have in common, by default the raw body. Multipart
                bodies need another value, because their boundary is new each time.

        Raises:
            Invalid: the key is empty, too long or not printable ASCII.
            Conflict: the first request with this key is still in progress.
            HTTPException: the key was used for a different request (422).
        """
        key = self._key()
        async with self._database.transaction() as tx:
            if key is None:
                return _response(status, msgspec.json.encode(await create(tx)), location)
            user_id, route = self._user_id(), self._route()
            fingerprint = await self._fingerprint(content)
            if not await statements.lock_key(tx, user_id=user_id, route=route, key=key):
                raise Conflict(
                    f"A request with this {KEY_HEADER} is still in progress.",
                    problem=problems.REQUEST_IN_PROGRESS,
                )
            stored = await statements.stored_response(tx, user_id=user_id, route=route, key=key)
            if stored is not None:
                return _replay(stored, fingerprint, location)
            body = msgspec.json.encode(await create(tx))
            await statements.store_response(
                tx,
                user_id=user_id,
                route=route,
                key=key,
                fingerprint=fingerprint,
                status=status,
                body=body,
            )
        return _response(status, body, location)

    async def replay(self, *, location: str | None, content: bytes) -> Response[Any] | None:
        """Return the first response if this request is a repeat, else None.

        For handlers that do slow work before they call this object, so that they can skip it. The
        arguments are those of the call.

        Raises:
            Invalid: the key is empty, too long or not printable ASCII.
            HTTPException: the key was used for a different request (422).
        """
        if (key := self._key()) is None:
            return None
        stored = await statements.stored_response(
            self._database, user_id=self._user_id(), route=self._route(), key=key
        )
        return _replay(stored, await self._fingerprint(content), location) if stored else None

    def _key(self) -> str | None:
        key = self._request.headers.get(KEY_HEADER)
        if key is not None and not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
            raise Invalid("Must be 1 to 255 printable ASCII characters.", field=KEY_HEADER)
        return key

    def _user_id(self) -> UUID:
        me = self._request.scope.get("user")
        return me.id if me else ANONYMOUS_ID

    def _route(self) -> str:
        """Return the method and path template and, without a user, a keyed hash of the client.

        Clients without an address (`app/web/connection.py`) share their keys.
        """
        route = f"{self._request.method} {self._request.scope['path_template']}"
        client = None if self._request.scope.get("user") else client_address(self._request)
        if client is None:
            return route
        digest = hmac.digest(self._secret.encode(), f"client\0{client}".encode(), "sha256")
        return f"{route} from {digest[:16].hex()}"

    async def _fingerprint(self, content: bytes | None) -> bytes:
        """Hash the path, which contains ids, and the content.

        The hash is keyed with our secret, because bodies contain passwords.
        """
        if content is None:
            content = await self._request.body()
        message = self._request.scope["path"].encode() + b"\0" + content
        return hmac.digest(self._secret.encode(), message, "sha256")


def _response(status: int, body: bytes, location: str | None) -> Response[Any]:
    headers = {"Location": location.format_map(msgspec.json.decode(body))} if location else None
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _replay(
    stored: statements.StoredResponse, fingerprint: bytes, location: str | None
) -> Response[Any]:
    if not hmac.compare_digest(stored.fingerprint, fingerprint):
        raise HTTPException(
            f"This {KEY_HEADER} was already used for a different request.", status_code=422
        )
    response = _response(stored.status, stored.body, location)
    response.headers["Idempotent-Replayed"] = "true"
    return response
