"""A minimal API: look up a token, and insert a row or list rows, in one transaction.

`uvicorn tests.bench.contenders.bare_api:app`: Litestar, msgspec and asyncpg, without our code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from litestar import Litestar, Request, get, post
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException

SESSION = """
select users.id, users.is_admin from sessions join users on users.id = sessions.user_id
where sessions.token_hash = $1 and sessions.expires_at > now() and users.deleted_at is null
"""
INSERT = """
insert into activities (user_id, type, started_at, duration_s, distance_m, calories, notes)
values ($1, $2, $3, $4, $5, $6, $7)
returning id, type, started_at, duration_s, distance_m, calories, notes, created_at, updated_at
"""
LIST = """
select id, type, started_at, duration_s, distance_m, calories, notes, created_at, updated_at
from activities where user_id = $1 and deleted_at is null
order by started_at desc, id desc limit 50
"""


class Entry(msgspec.Struct):
    type: str
    started_at: datetime
    duration_s: int
    distance_m: float | None = None
    calories: int | None = None
    notes: str | None = None


class Activity(Entry, kw_only=True):
    id: UUID
    created_at: datetime
    updated_at: datetime


async def _user(connection: asyncpg.pool.PoolConnectionProxy, request: Request) -> UUID:
    token = request.headers["authorization"].removeprefix("Bearer ")
    row = await connection.fetchrow(SESSION, hashlib.sha256(token.encode()).digest())
    if row is None:
        raise NotAuthorizedException
    user_id: UUID = row["id"]
    return user_id


@post("/api/v1/activities")
async def create(data: Entry, request: Request, state: State) -> Activity:
    async with state.pool.acquire() as connection, connection.transaction():
        user_id = await _user(connection, request)
        row = await connection.fetchrow(INSERT, user_id, *msgspec.structs.astuple(data))
    return Activity(**row)


@get("/api/v1/activities")
async def newest(request: Request, state: State) -> list[Activity]:
    async with state.pool.acquire() as connection, connection.transaction():
        user_id = await _user(connection, request)
        return [Activity(**row) for row in await connection.fetch(LIST, user_id)]


@asynccontextmanager
async def _pool(app: Litestar) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], max_size=10) as pool:
        app.state.pool = pool
        yield


app = Litestar([create, newest], lifespan=[_pool], openapi_config=None, logging_config=None)
