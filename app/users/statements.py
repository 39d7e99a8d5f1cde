"""Signatures for the statements in `sql/queries/users.sql`."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from app.email.subscriptions import Subscription
from app.postgres.statements import Queryable, statement
from app.users.user import Account, Me, ResetRequestId, UserId


class Credentials(Struct, frozen=True):
    """An account's password hash, to check a password and to detect changes after the check."""

    id: UserId
    password_hash: str


class TokenOwner(Struct, frozen=True):
    """The account that the token in an email link is for."""

    id: UserId
    name: str
    email: str
    password_hash: str
    confirmed: bool


class AccountSettings(Struct, frozen=True):
    """An account that is not deleted, without its password."""

    id: UserId
    email: str
    name: str
    is_admin: bool
    confirmed_at: datetime | None
    created_at: datetime
    erase_at: datetime | None
    opted_out: list[str]
    """The names of the subscriptions that the user has turned off."""


@statement("users")
async def add_user(
    db: Queryable, *, email: str, name: str, password_hash: str
) -> Account | None: ...


@statement("users")
async def credentials_by_email(db: Queryable, *, email: str) -> Credentials | None: ...


@statement("users")
async def credentials(db: Queryable, *, user_id: UserId) -> Credentials | None: ...


@statement("users")
async def set_password(db: Queryable, *, user_id: UserId, password_hash: str) -> bool | None: ...


@statement("users")
async def change_password(
    db: Queryable, *, user_id: UserId, old_hash: str, new_hash: str
) -> bool | None: ...


@statement("users")
async def replace_password_hash(
    db: Queryable, *, user_id: UserId, old_hash: str, new_hash: str
) -> None: ...


@statement("users")
async def add_session(
    db: Queryable, *, token_hash: bytes, user_id: UserId, password_hash: str, lifetime: timedelta
) -> datetime | None: ...


@statement("users")
async def session_by_token(db: Queryable, *, token_hash: bytes) -> Me | None: ...


@statement("users")
async def remove_session(db: Queryable, *, token_hash: bytes) -> None: ...


@statement("users")
async def remove_sessions(db: Queryable, *, user_id: UserId) -> None: ...


@statement("users")
async def account_settings(db: Queryable, *, user_id: UserId) -> AccountSettings | None: ...


@statement("users")
async def lock_account(db: Queryable, *, user_id: UserId) -> UserId | None: ...


@statement("users")
async def change_name(db: Queryable, *, user_id: UserId, name: str) -> None: ...


@statement("users")
async def opt_out(db: Queryable, *, user_id: UserId, names: list[Subscription]) -> None: ...


@statement("users")
async def opt_in(db: Queryable, *, user_id: UserId, names: list[Subscription]) -> None: ...


@statement("users")
async def add_token(
    db: Queryable, *, token_hash: bytes, user_id: UserId, purpose: str, lifetime: timedelta
) -> None: ...


@statement("users")
async def use_token(db: Queryable, *, token_hash: bytes, purpose: str) -> UserId | None: ...


@statement("users")
async def token_owner(db: Queryable, *, token_hash: bytes, purpose: str) -> TokenOwner | None: ...


@statement("users")
async def void_tokens(db: Queryable, *, user_id: UserId, purpose: str) -> None: ...


@statement("users")
async def lock_address(db: Queryable, *, email: str) -> None: ...


@statement("users")
async def add_reset_request(
    db: Queryable, *, email: str, max_per_hour: int
) -> ResetRequestId | None: ...


@statement("users")
async def reset_requester(db: Queryable, *, request_id: ResetRequestId) -> Account | None: ...


@statement("users")
async def remove_old_reset_requests(db: Queryable) -> None: ...


@statement("users")
async def mark_deleted(db: Queryable, *, user_id: UserId, password_hash: str) -> bool | None: ...


@statement("users")
async def account_exists(db: Queryable, *, user_id: UserId) -> bool: ...


@statement("users")
async def account_is_active(db: Queryable, *, user_id: UserId) -> bool: ...


@statement("users")
async def erase_activities(db: Queryable, *, user_id: UserId, limit: int) -> int: ...


@statement("users")
async def erase_requests(db: Queryable, *, user_id: UserId) -> None: ...


@statement("users")
async def erase_idempotency_keys(db: Queryable, *, user_id: UserId) -> None: ...


@statement("users")
async def erase_user(db: Queryable, *, user_id: UserId) -> None: ...


@statement("users")
async def confirmed_address(db: Queryable, *, user_id: UserId) -> str | None: ...


@statement("users")
async def mark_unconfirmed_deleted(db: Queryable, *, user_id: UserId) -> str | None: ...


@statement("users")
async def add_confirmed_user(db: Queryable, *, email: str, password_hash: str) -> UserId | None: ...


@statement("users")
async def confirm_address(db: Queryable, *, user_id: UserId) -> None: ...


@statement("users")
async def user_id_by_email(db: Queryable, *, email: str) -> UserId | None: ...


@statement("users")
async def make_admin(db: Queryable, *, email: str) -> UserId | None: ...


@statement("users")
async def add_admin(db: Queryable, *, email: str, password_hash: str) -> UserId: ...
