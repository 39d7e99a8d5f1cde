"""The demo data of `just up`: two people, one of them an operator, and a year of activities each."""

from __future__ import annotations

import asyncio
import os

import asyncpg

from app.embedded import statements
from app.embedded.logins import ADA, GRACE, Login
from app.users.passwords import Passwords

FAVOURITES = {ADA: "run", GRACE: "swim"}


async def load(database_url: str) -> None:
    """Add the people who are not there yet. Whoever is keeps what they have."""
    passwords = Passwords()
    connection = await asyncpg.connect(database_url)
    try:
        for seed, (login, favourite) in enumerate(FAVOURITES.items(), 1):
            await _add(connection, passwords, login, favourite, seed / 10)
    finally:
        await connection.close()


async def _add(
    connection: asyncpg.Connection, passwords: Passwords, login: Login, favourite: str, seed: float
) -> None:
    password_hash = await passwords.hash(login.password)
    async with connection.transaction():
        user_id = await statements.add_demo_user(
            connection, login.email, login.name, password_hash, login.operator
        )
        if user_id is not None:
            await statements.repeatable_chance(connection, seed)
            await statements.add_demo_activities(connection, user_id, favourite)


if __name__ == "__main__":
    asyncio.run(load(os.environ["DATABASE_URL"]))
