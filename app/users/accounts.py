"""Accounts: registration, profile, subscriptions, deletion, and making operators."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

import structlog

from app import jobs, problems
from app.email.subscriptions import SUBSCRIPTIONS, Subscription, read_unsubscribe_token
from app.errors import Conflict, Invalid, NotFound
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.users import statements
from app.users.emails import SendWelcomeEmail
from app.users.jobs import EraseUser
from app.users.passwords import wrong_password
from app.users.statements import AccountSettings, Credentials
from app.users.user import Account, Preferences, Profile, UserId

log = structlog.get_logger(__name__)


async def profile_of(db: Queryable, user_id: UserId) -> Profile:
    """Return a user's profile.

    Raises:
        NotFound: the account was deleted.
    """
    return _profile(await statements.account_settings(db, user_id=user_id))


async def lock_profile(tx: Transaction, user_id: UserId) -> Profile:
    """Lock a user's account and preferences until the transaction ends, and return the profile.

    Raises:
        NotFound: the account was deleted.
    """
    await statements.lock_account(tx, user_id=user_id)
    return await profile_of(tx, user_id)


async def change_profile(
    tx: Transaction,
    user_id: UserId,
    *,
    name: str | None = None,
    preferences: Mapping[Subscription, bool] = MappingProxyType({}),
) -> Profile:
    """Change the name if one is given, and turn the given subscriptions on or off.

    Raises:
        NotFound: the account was deleted.
    """
    await statements.lock_account(tx, user_id=user_id)
    if name is not None:
        await statements.change_name(tx, user_id=user_id, name=name)
    off = [subscription for subscription, wanted in preferences.items() if not wanted]
    if off:
        await statements.opt_out(tx, user_id=user_id, names=off)
    if on := [subscription for subscription in preferences if subscription not in off]:
        await statements.opt_in(tx, user_id=user_id, names=on)
    return await profile_of(tx, user_id)


def _profile(settings: AccountSettings | None) -> Profile:
    if settings is None:
        raise NotFound("This account has been deleted.")
    return Profile(
        id=settings.id,
        email=settings.email,
        name=settings.name,
        is_admin=settings.is_admin,
        preferences=Preferences(**{name: name not in settings.opted_out for name in SUBSCRIPTIONS}),
        confirmed_at=settings.confirmed_at,
        erase_at=settings.erase_at,
        created_at=settings.created_at,
    )


async def register(tx: Transaction, email: str, name: str, password_hash: str) -> Account:
    """Create an account and enqueue the welcome email.

    If two people register the same address at once, the second waits for the first to commit.

    Raises:
        Conflict: the address is taken. No email is sent.
    """
    account = await statements.add_user(tx, email=email, name=name, password_hash=password_hash)
    if account is None:
        raise Conflict(
            "There is already an account with this email address.", problem=problems.ADDRESS_TAKEN
        )
    await jobs.enqueue(tx, SendWelcomeEmail(user_id=account.id))
    return account


def subscription_in_token(secret: str, token: str) -> Subscription:
    """Return the subscription that can be ended with this token.

    Raises:
        NotFound: we did not sign this token.
    """
    return _read_token(secret, token)[1]


async def unsubscribe(tx: Transaction, secret: str, token: str) -> Subscription:
    """End the subscription that a token names.

    Nothing changes if the subscription has already ended, or if the account has been erased.

    Raises:
        NotFound: we did not sign this token.
    """
    user_id, subscription = _read_token(secret, token)
    await statements.lock_account(tx, user_id=user_id)
    await statements.opt_out(tx, user_id=user_id, names=[subscription])
    return subscription


def _read_token(secret: str, token: str) -> tuple[UserId, Subscription]:
    content = read_unsubscribe_token(secret, token)
    if content is None:
        raise NotFound("Page not found.")
    user_id, subscription = content
    return UserId(user_id), subscription


async def find_user(db: Queryable, id_or_email: str) -> UserId:
    """Return the id of the user with this id or address.

    An id is not looked up, because jobs outlive the users that they are about.

    Raises:
        Invalid: the text is not an id, and no account has this address.
    """
    try:
        return UserId(UUID(id_or_email))
    except ValueError:
        user_id = await statements.user_id_by_email(db, email=id_or_email)
    if user_id is None:
        raise Invalid("No user has this ID or address.", field="user")
    return user_id


async def find_account(db: Queryable, id_or_email: str) -> UserId:
    """Return the id of the account with this id or address.

    Until it is erased, a deleted account can be found by its id.

    Raises:
        Invalid: there is no such account.
    """
    user_id = await find_user(db, id_or_email)
    if not await statements.account_exists(db, user_id=user_id):
        raise Invalid("No user has this ID or address.", field="user")
    return user_id


async def make_admin(tx: Transaction, email: str, *, by: str) -> bool:
    """Make the owner of this address an operator; return False if no account has it."""
    user_id = await statements.make_admin(tx, email=email)
    if user_id is None:
        return False
    log.info("operator.promoted_user", user=str(user_id), by=by)
    return True


async def create_admin(tx: Transaction, email: str, password_hash: str, *, by: str) -> None:
    """Create an operator, whose address counts as confirmed.

    If somebody has registered the address since the caller checked, that account becomes an
    operator and keeps its password.
    """
    user_id = await statements.add_admin(tx, email=email, password_hash=password_hash)
    log.info("operator.created_operator", user=str(user_id), by=by)


async def delete_account(tx: Transaction, credentials: Credentials) -> None:
    """Delete an account whose password has been checked, and enqueue the erasure of its data.

    Nobody can sign in to it any more, its sessions end, and its address can be registered again.

    Raises:
        Forbidden: the account has been deleted, or its password changed, since the check.
    """
    if not await statements.mark_deleted(
        tx, user_id=credentials.id, password_hash=credentials.password_hash
    ):
        raise wrong_password()
    await statements.remove_sessions(tx, user_id=credentials.id)
    await jobs.enqueue(tx, EraseUser(user_id=credentials.id))
