"""What handlers may ask for by name: narrow things, never the whole of the resources."""

from __future__ import annotations

from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide

from app.api.idempotency import Creation
from app.resources import Resources
from app.s3 import Bucket
from app.transaction import Database
from app.users.passwords import Passwords
from app.users.user import Me


def resources_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Resources:
    return cast("Resources", connection.app.state.resources)


def _database(request: Request[Any, Any, Any]) -> Database:
    return resources_of(request).database


def _bucket(request: Request[Any, Any, Any]) -> Bucket:
    return resources_of(request).bucket


def _passwords(request: Request[Any, Any, Any]) -> Passwords:
    return cast("Passwords", request.app.state.passwords)


def _me(request: Request[Me, Any, Any]) -> Me:
    return request.user


def _creation(request: Request[Any, Any, Any]) -> Creation:
    resources = resources_of(request)
    return Creation(request, resources.database, resources.settings.secret_key)


DEPENDENCIES = {
    "database": Provide(_database, sync_to_thread=False),
    "bucket": Provide(_bucket, sync_to_thread=False),
    "passwords": Provide(_passwords, sync_to_thread=False),
    "me": Provide(_me, sync_to_thread=False),
    "creation": Provide(_creation, sync_to_thread=False),
}
