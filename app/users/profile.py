"""What people see and change of their own account."""

from __future__ import annotations

from app.errors import NotFound
from app.postgres.query import Queryable
from app.transaction import Transaction
from app.users import statements
from app.users.statements import AccountSettings
from app.users.user import Preferences, Profile, UserId


async def profile_of(db: Queryable, user_id: UserId) -> Profile:
    """
    Raises:
        NotFound: the account was deleted.
    """
    return _profile(await statements.account_settings(db, user_id))


async def change_profile(
    tx: Transaction,
    user_id: UserId,
    *,
    name: str | None = None,
    weekly_summary: bool | None = None,
    friend_activity: bool | None = None,
    monthly_report: bool | None = None,
) -> Profile:
    """Change what is given; None leaves a thing as it is.

    Raises:
        NotFound: the account was deleted.
    """
    changed = await statements.change_account_settings(
        tx, user_id, name, weekly_summary, friend_activity, monthly_report
    )
    return _profile(changed)


def _profile(settings: AccountSettings | None) -> Profile:
    if settings is None:
        raise NotFound("This account has been deleted.")
    return Profile(
        id=settings.id,
        email=settings.email,
        name=settings.name,
        is_admin=settings.is_admin,
        preferences=Preferences(
            weekly_summary=settings.weekly_summary,
            friend_activity=settings.friend_activity,
            monthly_report=settings.monthly_report,
        ),
        confirmed_at=settings.confirmed_at,
        created_at=settings.created_at,
    )
