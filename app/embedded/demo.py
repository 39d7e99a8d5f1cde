"""The demo data of `just up`: two people, one an operator, and a year of activities each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from app.embedded import statements
from app.embedded.logins import ADA, GRACE, Login
from app.postgres.pool import open_pool
from app.transaction import Database, Departure, Transaction
from app.users.passwords import Passwords

FAVOURITES = {ADA: "run", GRACE: "swim"}


async def load(database_url: str) -> None:
    """Add the people who are not there yet. Whoever is keeps what they have."""
    async with await open_pool(database_url, size=1, application_name="activelog-demo") as pool:
        database = Database(pool, _nobody_leaves)
        for seed, (login, favourite) in enumerate(FAVOURITES.items(), 1):
            password_hash = await Passwords().hash(login.password)
            async with database.transaction() as tx:
                await _add(tx, login, password_hash, favourite, seed / 10)


async def _add(
    tx: Transaction, login: Login, password_hash: str, favourite: str, seed: float
) -> None:
    user_id = await statements.add_demo_user(
        tx, login.email, login.name, password_hash, login.operator
    )
    if user_id is not None:
        await statements.repeatable_chance(tx, seed)
        await statements.add_demo_activities(tx, user_id, favourite)


def _nobody_leaves(departures: Sequence[Departure]) -> None:
    raise AssertionError(f"the demo enqueued {len(departures)} jobs")


if __name__ == "__main__":
    asyncio.run(load(os.environ["DATABASE_URL"]))
