"""Bearer tokens (RFC 6750). Every route asks for one unless its `opt` says `public=True`."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.middleware.base import DefineMiddleware

from app.api.idempotency import Creation
from app.errors import Forbidden, Unauthenticated
from app.users.sessions import authenticate
from app.users.user import Me
from app.web import connection
from app.web.connection import resources_of


class BearerAuthentication(AbstractAuthenticationMiddleware):
    """Finds out who sent a request, before any of its body is read."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """The user is a `Me`, the auth the token itself.

        Raises:
            Unauthenticated: there is no token, or no session of it.
            TooMany: this person has sent more than REQUEST_RATE.
        """
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("A token is required: `Authorization: Bearer <token>`.")
        resources = resources_of(connection)
        me = await authenticate(resources.database, token.strip())
        resources.request_limiter.count(str(me.id))
        return AuthenticationResult(user=me, auth=token.strip())


# OPTIONS is not excepted, as it is by default: only what is named public is.
bearer_authentication = DefineMiddleware(
    BearerAuthentication, exclude_from_auth_key="public", exclude_http_methods=()
)


def admins_only(connection: ASGIConnection[Any, Me, Any, Any], _: BaseRouteHandler) -> None:
    """A guard for routers of operators.

    Raises:
        Forbidden: the person is none.
    """
    if not connection.user.is_admin:
        raise Forbidden("Only operators can do this.")


def _creation(request: Request[Any, Any, Any]) -> Creation:
    resources = resources_of(request)
    return Creation(request, resources.database, resources.settings.secret_key)


DEPENDENCIES = {
    **connection.DEPENDENCIES,
    "creation": Provide(_creation, sync_to_thread=False),
}
