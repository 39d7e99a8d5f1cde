"""Bearer tokens (RFC 6750). Every route requires one unless its `opt` has `public=True`."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.middleware.base import DefineMiddleware

from app.api.idempotency import IdempotentCreation
from app.api.preconditions import Preconditions
from app.errors import Forbidden, Unauthenticated
from app.users.sessions import authenticate
from app.users.user import Me
from app.web import connection
from app.web.connection import resources_of


class BearerAuthentication(AbstractAuthenticationMiddleware):
    """Middleware that identifies the user before any of the request body is read."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Return the user as a `Me`, and the token as `auth`.

        Raises:
            Unauthenticated: the request has no token, or its session is unknown, closed or expired.
            TooMany: this user has exceeded REQUEST_RATE.
        """
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("A token is required: `Authorization: Bearer <token>`.")
        resources = resources_of(connection)
        me = await authenticate(resources.database, token.strip())
        resources.limiter.count(resources.request_limit, str(me.id))
        return AuthenticationResult(user=me, auth=token.strip())


# Litestar exempts OPTIONS by default. Here, only routes marked as public are exempt.
bearer_authentication = DefineMiddleware(
    BearerAuthentication, exclude_from_auth_key="public", exclude_http_methods=()
)


def operators_only(connection: ASGIConnection[Any, Me, Any, Any], _: BaseRouteHandler) -> None:
    """Guard the operators' routes.

    Raises:
        Forbidden: the user is not an operator.
    """
    if not connection.user.is_admin:
        raise Forbidden("Only operators can do this.")


def _create_once(request: Request[Any, Any, Any]) -> IdempotentCreation:
    resources = resources_of(request)
    return IdempotentCreation(request, resources.database, resources.settings.secret_key)


DEPENDENCIES = {
    **connection.DEPENDENCIES,
    "create_once": Provide(_create_once, sync_to_thread=False),
    "preconditions": Provide(Preconditions, sync_to_thread=False),
}
