"""What docs/scaling.md tells those who put PgBouncer between."""

from __future__ import annotations

import re

from app.embedded.home import ROOT
from app.postgres.database import Database

TRACKED = {"application_name", "datestyle", "timezone"}
"""Parameters of connections that PgBouncer passes on itself."""
SET_BY_CLIENT = """
select name from pg_settings
where source = 'client' and name not in ('client_encoding', 'extra_float_digits')
"""


async def test_it_is_told_of_every_parameter_that_connections_are_opened_with(
    database: Database,
) -> None:
    scaling = (ROOT / "docs" / "scaling.md").read_text()
    ignored = re.search(r"ignore_startup_parameters = (.*)", scaling)
    assert ignored is not None
    rows = await database.fetch(SET_BY_CLIENT)
    parameters = {row["name"].lower() for row in rows} - TRACKED
    assert "max_parallel_workers_per_gather" in parameters
    assert parameters == set(ignored[1].split(","))
    assert parameters == set(re.findall(r"alter role activelog set (\w+)", scaling))
