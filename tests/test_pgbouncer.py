"""The PgBouncer settings in docs/scaling.md."""

from __future__ import annotations

import re

from app.embedded.home import ROOT
from app.postgres.database import Database

TRACKED = {"application_name", "datestyle", "timezone"}
"""Startup parameters that PgBouncer tracks for each client by default."""
SET_BY_CLIENT = """
select name from pg_settings
where source = 'client' and name not in ('client_encoding', 'extra_float_digits')
"""


async def test_documentation_lists_our_startup_parameters_that_pgbouncer_does_not_track(
    database: Database,
) -> None:
    scaling = (ROOT / "docs" / "scaling.md").read_text()
    ignored = re.search(r"ignore_startup_parameters = (.*)", scaling)
    assert ignored is not None
    rows = await database.fetch(SET_BY_CLIENT)
    parameters = {row["name"].lower() for row in rows} - TRACKED
    assert "max_parallel_workers_per_gather" in parameters
    assert parameters == set(ignored[1].split(","))
    assert parameters == set(re.findall(r"alter role activelog_app set (\w+)", scaling))
