"""News: what friends have recorded since a person was last told."""

from __future__ import annotations

from datetime import datetime, timedelta

from app import jobs
from app.friends import statements
from app.friends.jobs import FriendActivityEmail
from app.transaction import Transaction
from app.users.user import UserId

STALE = timedelta(days=7)
"""What began longer ago is no news: somebody is entering the past."""


async def announce(
    tx: Transaction, user_id: UserId, started_at: datetime, *, now: datetime
) -> None:
    """Have the friends told of a new activity who want to be, each at most once an hour."""
    if started_at < now - STALE:
        return
    if friends := await statements.friends_to_tell(tx, user_id):
        await jobs.enqueue_all(tx, (FriendActivityEmail(user_id=friend) for friend in friends))
