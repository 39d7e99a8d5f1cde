"""A person's friends, and ending a friendship."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from app.errors import NotFound
from app.friends import statements
from app.friends.friend import Friend
from app.postgres.query import Queryable
from app.transaction import Transaction
from app.users.user import UserId


class Position(NamedTuple):
    """The last friend of the page before."""

    since: datetime | None = None
    user_id: UserId | None = None


async def page(db: Queryable, user_id: UserId, after: Position, limit: int) -> list[Friend]:
    """At most `limit` friends, newest first."""
    return await statements.list_friends(db, user_id, *after, limit)


async def end(tx: Transaction, user_id: UserId, friend_id: UserId) -> None:
    """Be no friends any more, on either side. The other is not told.

    Raises:
        NotFound: they are not friends.
    """
    if not await statements.unfriend(tx, user_id, friend_id):
        raise NotFound("You have no such friend.")
