"""The lines of a CSV, as Postgres writes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.exports import statements
from app.exports.export import Filters
from app.postgres.snapshot import Snapshot
from app.users.user import UserId


async def copy(
    snapshot: Snapshot,
    user_id: UserId,
    filters: Filters,
    write: Callable[[bytes], Awaitable[None]],
) -> int:
    """Write the header and a line for each activity: the first leave before the last are read.

    Returns:
        The number of activities.
    """
    await statements.read_in_order(snapshot)
    return await snapshot.csv(statements.activities_csv(user_id, *filters), write)
