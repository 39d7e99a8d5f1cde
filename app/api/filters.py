"""The parameters by which activities are chosen, under the names that every route has for them."""

from __future__ import annotations

from litestar.params import QueryParameter

FROM = QueryParameter(name="from", description="UTC, inclusive")
TO = QueryParameter(name="to", description="UTC, inclusive")
TYPE = QueryParameter(name="type")
