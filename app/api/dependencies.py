"""What the API's handlers may ask for by name, beside what the pages' may."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.di import Provide

from app.api.idempotency import Creation
from app.web import connection
from app.web.connection import resources_of


def _creation(request: Request[Any, Any, Any]) -> Creation:
    resources = resources_of(request)
    return Creation(request, resources.database, resources.settings.secret_key)


DEPENDENCIES = {
    **connection.DEPENDENCIES,
    "creation": Provide(_creation, sync_to_thread=False),
}
