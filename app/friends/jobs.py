"""The jobs that friends cause."""

from __future__ import annotations

from datetime import timedelta

from app.friends.friend import RequestId
from app.jobs import Job
from app.users.user import UserId


class FriendRequestEmail(Job, frozen=True):
    """Tells whoever has the address, if anybody, that somebody asks to be a friend."""

    kind = "email:friend_request"
    queue = "critical"

    request_id: RequestId

    @property
    def unique_key(self) -> str:
        return str(self.request_id)


class FriendActivityEmail(Job, frozen=True):
    """Tell a person what friends have recorded since the last such email.

    While one waits, activities need no other: it reads all of them.
    """

    kind = "email:friend_activity"
    expires_in = timedelta(days=1)

    user_id: UserId

    @property
    def unique_key(self) -> str:
        return str(self.user_id)
