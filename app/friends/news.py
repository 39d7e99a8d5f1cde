"""News: what friends have recorded and no letter has told a person yet.

A look (`FriendActivityEmail`) is one a person, so an activity leans on the one that waits or runs.
That its look is not over before the activity can be seen is `end_look`'s to see to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from app import jobs
from app.friends import statements
from app.friends.jobs import FriendActivityEmail
from app.jobs import Run
from app.postgres.database import Transaction
from app.users.user import UserId

STALE = timedelta(days=7)
"""What began longer ago is no news: somebody is entering the past."""
SOON = timedelta(seconds=1)
"""Until the next look at news that are being written."""


async def announce(
    tx: Transaction, user_id: UserId, activity_id: UUID, started_at: datetime, *, now: datetime
) -> None:
    """Have the friends told of a new activity who want to be, each at most once an hour.

    The news are added before the looks, so that whoever leans on a look holds its reader.
    """
    if started_at < now - STALE:
        return
    if friends := await statements.add_news(tx, user_id, activity_id):
        await jobs.enqueue_all(tx, (FriendActivityEmail(user_id=friend) for friend in friends))


async def end_look(run: Run, user_id: UserId) -> None:
    """End a look that found nothing, and take another if there is something after all.

    From the first statement of the completion on, whoever announces anything waits until this look
    is over, and then enqueues one. Whoever leaned on it before that either still holds the reader,
    and is looked for soon; or has committed, and is seen here.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    async with run.completion("friends have recorded nothing new") as tx:
        all_written = await statements.lock_reader(tx, user_id)
        if not all_written or await statements.unread(tx, user_id):
            soon = run.claimed.started_at + SOON
            await jobs.enqueue(tx, FriendActivityEmail(user_id=user_id), run_at=soon)
