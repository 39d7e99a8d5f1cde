"""What handlers may ask for by name: narrow things, never the whole of the resources."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide

from app.postgres.snapshot import Snapshots
from app.rates import Rates
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


def _snapshots(request: Request[Any, Any, Any]) -> Snapshots:
    return resources_of(request).snapshots


def _rates(request: Request[Any, Any, Any]) -> Rates:
    return resources_of(request).rates


def _passwords(request: Request[Any, Any, Any]) -> Passwords:
    return cast("Passwords", request.app.state.passwords)


def _now(request: Request[Any, Any, Any]) -> datetime:
    """The time by the application's clock, in UTC."""
    return cast("datetime", request.app.state.clock())


def _me(request: Request[Me, Any, Any]) -> Me:
    return request.user


DEPENDENCIES = {
    "database": Provide(_database, sync_to_thread=False),
    "bucket": Provide(_bucket, sync_to_thread=False),
    "snapshots": Provide(_snapshots, sync_to_thread=False),
    "rates": Provide(_rates, sync_to_thread=False),
    "passwords": Provide(_passwords, sync_to_thread=False),
    "now": Provide(_now, sync_to_thread=False),
    "me": Provide(_me, sync_to_thread=False),
}
