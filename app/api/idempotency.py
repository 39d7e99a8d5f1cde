"""`Idempotency-Key`: a POST that creates can be sent again and creates once.

The answer is stored by the transaction that creates, per user and route, for 24 hours. A failure
stores nothing, so that the same key may be tried again. Follows draft-ietf-httpapi-idempotency-key-
header, with the key taken as it is written.
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

from app.api import statements
from app.errors import Conflict, Invalid
from app.postgres.database import Database, Transaction

T = TypeVar("T")

HEADER = "Idempotency-Key"
NOBODY = UUID(int=0)
"""Who sends a request that needs no token."""


class Creation:
    """What a POST that creates runs its use case through; handlers ask for it as `creation`."""

    def __init__(self, request: Request[Any, Any, Any], database: Database, secret: str) -> None:
        self._request = request
        self._database = database
        self._secret = secret

    async def __call__(
        self,
        act: Callable[[Transaction], Awaitable[T]],
        *,
        status: int = 201,
        content: bytes | None = None,
    ) -> Response[T]:
        """Act in a transaction and answer with what it made, or answer as the first time.

        Args:
            act: the use case; it may run again after it failed, never after it succeeded.
            content: what a repetition must bring again, where that is not the body as it is sent
                (multipart bodies differ each time by their boundary).

        Raises:
            Invalid: the key is empty or too long.
            Conflict: the first request with this key is still at work.
            HTTPException: 422, the key was used for something else.
        """
        key = self._key()
        async with self._database.transaction() as tx:
            if key is None:
                return _answer(status, msgspec.json.encode(await act(tx)))
            sender, route = self._sender(), self._route()
            fingerprint = await self._fingerprint(content)
            if not await statements.lock_key(tx, user_id=sender, route=route, key=key):
                raise Conflict(f"A request with this {HEADER} is still in progress.")
            kept = await statements.answer_for_key(tx, user_id=sender, route=route, key=key)
            if kept is not None:
                return _replay(kept, fingerprint)
            body = msgspec.json.encode(await act(tx))
            await statements.keep_answer(
                tx,
                user_id=sender,
                route=route,
                key=key,
                fingerprint=fingerprint,
                status=status,
                body=body,
            )
        return _answer(status, body)

    def _key(self) -> str | None:
        key = self._request.headers.get(HEADER)
        if key is not None and not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
            raise Invalid("Must be 1 to 255 printable ASCII characters.", field=HEADER)
        return key

    def _sender(self) -> UUID:
        me = self._request.scope.get("user")
        return me.id if me else NOBODY

    def _route(self) -> str:
        return f"{self._request.method} {self._request.scope['path_template']}"

    async def _fingerprint(self, content: bytes | None) -> bytes:
        """Keyed, since bodies hold passwords; the path is part of it for the ids that it names."""
        if content is None:
            content = await self._request.body()
        text = self._request.scope["path"].encode() + b"\0" + content
        return hmac.digest(self._secret.encode(), text, "sha256")


def _answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response[Any]:
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _replay(kept: statements.Answer, fingerprint: bytes) -> Response[Any]:
    if not hmac.compare_digest(kept.fingerprint, fingerprint):
        raise HTTPException(
            f"This {HEADER} was already used for a different request.", status_code=422
        )
    return _answer(kept.status, kept.body, {"Idempotent-Replayed": "true"})
