"""Signed-in users for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from app.postgres.database import Database
from app.users import statements
from app.users.sessions import open_session
from app.users.statements import Credentials
from app.users.user import UserId


class Person(NamedTuple):
    id: UserId
    email: str
    headers: dict[str, str]
    """The headers that authenticate a request."""

    @property
    def token(self) -> str:
        """The session token, which the session cookie holds."""
        return self.headers["Authorization"].removeprefix("Bearer ")


async def person(database: Database, name: str, *, confirmed: bool = True) -> Person:
    """Create a signed-in user with the address `{name}@example.com`, confirmed by default."""
    async with database.transaction() as tx:
        account = await statements.add_user(
            tx, email=f"{name}@example.com", name=name, password_hash="no hash"
        )
        assert account is not None
        if confirmed:
            await statements.confirm_address(tx, user_id=account.id)
        session = await open_session(tx, Credentials(account.id, "no hash"), timedelta(days=1))
    headers = {"Authorization": f"Bearer {session.token}"}
    return Person(account.id, account.email, headers)
