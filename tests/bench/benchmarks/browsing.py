"""Response times of the pages when the tables are full."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter

import httpx

from app.postgres.database import Database
from tests.jobs.operators import operator
from tests.support.many_users import add_users
from tests.support.people import Person

PEOPLE = 500
JOBS = 100_000
EXPORTS = 10_000

ROWS = (
    # Activities and reports: the operator has more activities than other users.
    """insert into activities (user_id, type, started_at, duration_s, distance_m, calories, notes)
    select id, 'run', now() - n * interval '9 hours', 1800, 5000, 300, 'Along the river.'
    from users, generate_series(1, case when is_admin then 1000 else 10 end) as n""",
    """insert into reports (user_id, month, size_bytes, sha256)
    select id, date_trunc('month', now())::date - n * interval '1 month', 80000, repeat('a', 64)
    from users, generate_series(1, 12) as n""",
    # One job in fifty is dead, for one of a hundred reasons; one in fifty is queued.
    """insert into jobs
        (kind, queue, payload, state, user_id, run_at, enqueued_at, attempt, failures,
        started_at, finished_at, error, fingerprint)
    select
        (array['email:welcome', 'email:weekly_summary', 'export:generate', 'report:generate'])
            [1 + n % 4],
        (array['critical', 'default', 'low', 'low'])[1 + n % 4], '{}', known.state, u.id,
        at, at, 1, 0, case when known.state <> 'queued' then at end,
        case when known.state in ('done', 'dead') then at + interval '1 second' end,
        case when known.state = 'dead' then 'Refused: reason ' || n / 50 % 100 end,
        case when known.state = 'dead' then md5((n / 50 % 100)::text) end
    from generate_series(1, $1::int) as n
    cross join lateral (select
        now() - ($1::int - n) * interval '6 seconds' as at,
        case when n % 50 = 0 then 'dead' when n % 50 = 1 then 'queued' else 'done' end as state
    ) as known
    join (select id, row_number() over (order by id) as place from users) as u
        on u.place = 1 + n % (select count(*) from users)
    order by n""",
    """insert into job_attempts (job_id, attempt, started_at, outcome, error, traceback)
    select id, 1, started_at, 'dead', error, repeat('  File "app.py", line 1' || chr(10), 20)
    from jobs where state = 'dead'""",
    """insert into exports
        (user_id, format, type, open, requested_at, completed_at, expires_at, row_count, size_bytes,
        sha256, etag)
    select u.id, 'csv', 'run', false, now(), now(), now() + interval '7 days', 1000, 60000,
        repeat('a', 64), 'etag'
    from generate_series(1, $1::int) as n
    join (select id, row_number() over (order by id) as place from users) as u
        on u.place = 1 + n % (select count(*) from users)""",
    # The operator has one unfinished export, and many completed ones.
    """insert into exports (user_id, format, open, job_id)
    select users.id, 'pdf', true, (select jobs.id from jobs where jobs.state = 'queued' limit 1)
    from users where is_admin""",
    """insert into exports
        (user_id, format, open, completed_at, expires_at, row_count, size_bytes, sha256, etag)
    select id, 'csv', false, now(), now() + interval '7 days', 1000, 60000, repeat('a', 64), 'etag'
    from users, generate_series(1, 100) where is_admin""",
)
COUNTED = {2: JOBS, 4: EXPORTS}
"""The row counts to pass to some of these statements, by the statement's position."""


async def fill_tables(database: Database) -> Person:
    """Fill the tables, and return an operator, who owns many of the rows."""
    reader = await operator(database)
    await add_users(database, PEOPLE)
    for place, statement in enumerate(ROWS):
        await database.execute(statement, *([COUNTED[place]] if place in COUNTED else []))
    for table in ("users", "activities", "reports", "jobs", "job_attempts", "exports"):
        await database.execute(f"vacuum analyze {table}")  # as autovacuum would have done by now
    return reader


async def path_values(database: Database, reader: Person) -> Mapping[str, object]:
    """Return what the pages' paths contain: a dead job, its fingerprint and user, and an export."""
    row = await database.fetchrow(
        """select id as job, fingerprint, user_id as user,
            (select id from exports where user_id = $1 and open) as export
        from jobs where state = 'dead' limit 1""",
        reader.id,
    )
    assert row is not None
    return dict(row)


async def response_times(client: httpx.AsyncClient, path: str, count: int) -> list[float]:
    """Send `count` requests one after another, and return the response times in ms, sorted.

    Raises:
        HTTPStatusError: a response is not 2xx.
    """
    taken = []
    for _ in range(count):
        began = perf_counter()
        (await client.get(path)).raise_for_status()
        taken.append((perf_counter() - began) * 1000)
        await asyncio.sleep(0)
    return sorted(taken)
