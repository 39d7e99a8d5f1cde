"""The routes under `/users`: accounts and their settings."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import MediaType, Request, Response, Router, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from msgspec.structs import asdict

from app.api.idempotency import IdempotentCreation
from app.api.preconditions import Preconditions, tagged
from app.email.subscriptions import SUBSCRIPTIONS
from app.postgres.database import Database
from app.rate_limits import RateLimiter
from app.users import confirmation
from app.users.accounts import (
    change_profile,
    delete_account,
    lock_profile,
    profile_of,
    register,
)
from app.users.login_limits import count_password_check, count_sign_up
from app.users.passwords import Passwords, change_password, check_current_password
from app.users.user import Account, EmailAddress, Me, Name, Password, Profile
from app.web.connection import client_address


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    email: EmailAddress
    name: Name
    password: Password


PreferencesChange = defstruct(
    "PreferencesChange",
    [(name, bool | UnsetType, UNSET) for name in SUBSCRIPTIONS],
    frozen=True,
    forbid_unknown_fields=True,
)
"""A field for each subscription that users can turn on and off."""


class ProfileChange(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    preferences: PreferencesChange | UnsetType = UNSET  # type: ignore[valid-type] # made at run time


CurrentPassword = Annotated[str, Meta(max_length=200)]
"""A password to check. Only its length is limited: a malformed password is simply wrong."""


class PasswordChange(Struct, frozen=True, forbid_unknown_fields=True):
    current_password: CurrentPassword
    password: Password


class AddressConfirmation(Struct, frozen=True, forbid_unknown_fields=True):
    password: CurrentPassword


class AccountDeletion(Struct, frozen=True, forbid_unknown_fields=True):
    password: CurrentPassword


NEW_USER = Example(
    value={"email": "kim@example.com", "name": "Kim", "password": "a long walk on the beach"}
)
PROFILE_CHANGE = Example(value={"name": "Kim Lee", "preferences": {"weekly_summary": False}})
PASSWORD_CHANGE = Example(
    value={
        "current_password": "a long walk on the beach",
        "password": "a longer walk on the beach",
    }
)
ADDRESS_CONFIRMATION = Example(value={"password": "a long walk on the beach"})
ACCOUNT_DELETION = Example(value={"password": "a long walk on the beach"})


@post("/", opt={"public": True}, operation_id="createUser")
async def create_user(
    data: Annotated[NewUser, Body(examples=[NEW_USER])],
    request: Request[Any, Any, Any],
    create_once: NamedDependency[IdempotentCreation],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> Response[Account]:
    """Create an account. We then email a confirmation link to the address.

    409 if the address is taken. 429 after too many sign-ups from your network address.
    """
    client = client_address(request)
    await count_sign_up(limiter, client)
    password_hash = await passwords.hash_new(
        data.password, about=[data.name, data.email], client=client
    )
    return await create_once(
        lambda tx: register(tx, data.email, data.name, password_hash), location="/api/v1/users/me"
    )


@post("/confirm", status_code=202, media_type=MediaType.TEXT, operation_id="requestConfirmation")
async def request_confirmation(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    limiter: NamedDependency[RateLimiter],
) -> None:
    """Resend the email with the confirmation link.

    409 if the address is already confirmed or is suppressed. 429 after three emails in 24 hours.
    """
    async with database.transaction() as tx:
        await confirmation.request_confirmation(tx, limiter, me.id)


@post("/confirm/{token:str}", opt={"public": True}, status_code=204, operation_id="confirmUser")
async def confirm_user(
    token: FromPath[str],
    data: Annotated[AddressConfirmation, Body(examples=[ADDRESS_CONFIRMATION])],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> None:
    """Confirm the email address of an account with the token from the email and its password.

    403 if the password is wrong. 410 if the token has been used, has expired or is unknown.
    """
    await confirmation.check_confirmer(
        database, passwords, limiter, token, user_id=None, password=data.password
    )
    async with database.transaction() as tx:
        await confirmation.confirm_address(tx, token)


@delete("/confirm/{token:str}", opt={"public": True}, operation_id="disownUser")
async def disown_user(token: FromPath[str], database: NamedDependency[Database]) -> None:
    """Erase an account that somebody else made for your email address.

    410 if the token has been used, has expired or is unknown, or if the address is confirmed.
    """
    async with database.transaction() as tx:
        await confirmation.disown(tx, token)


@get("/me", operation_id="readMe")
async def read_me(
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    preconditions: NamedDependency[Preconditions],
) -> Response[Profile]:
    """Get your account."""
    return preconditions.respond(await profile_of(database, me.id))


@patch("/me", operation_id="changeMe")
async def change_me(
    data: Annotated[ProfileChange, Body(examples=[PROFILE_CHANGE])],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    preconditions: NamedDependency[Preconditions],
) -> Response[Profile]:
    """Change your name or email preferences. Omitted fields keep their values."""
    given: Any = data.preferences
    chosen: dict[Any, Any] = {} if given is UNSET else asdict(given)
    preferences = {name: wanted for name, wanted in chosen.items() if wanted is not UNSET}
    async with database.transaction() as tx:
        if preconditions:
            preconditions.check(await lock_profile(tx, me.id))
        changed = await change_profile(tx, me.id, name=data.name or None, preferences=preferences)
    return tagged(changed)


@put("/me/password", status_code=204, operation_id="changePassword")
async def change_own_password(
    data: Annotated[PasswordChange, Body(examples=[PASSWORD_CHANGE])],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
) -> None:
    """Change your password. This ends all sessions, including this one.

    403 if the current password is wrong. 429 after too many attempts.
    """
    await count_password_check(limiter, me.id)
    checked = await check_current_password(database, passwords, me.id, data.current_password)
    profile = await profile_of(database, me.id)
    password_hash = await passwords.hash_new(
        data.password, about=[profile.name, profile.email], known_device=True
    )
    async with database.transaction() as tx:
        await change_password(tx, checked, password_hash)


@delete("/me", operation_id="deleteMe")
async def delete_me(
    data: Annotated[AccountDeletion, Body(examples=[ACCOUNT_DELETION])],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    passwords: NamedDependency[Passwords],
    limiter: NamedDependency[RateLimiter],
    preconditions: NamedDependency[Preconditions],
) -> None:
    """Delete your account at once. Its data is erased shortly afterwards.

    403 if the password is wrong. 429 after too many attempts.
    """
    await count_password_check(limiter, me.id)
    checked = await check_current_password(database, passwords, me.id, data.password)
    async with database.transaction() as tx:
        if preconditions:
            preconditions.check(await lock_profile(tx, me.id))
        await delete_account(tx, checked)


router = Router(
    "/users",
    route_handlers=[
        create_user,
        request_confirmation,
        confirm_user,
        disown_user,
        read_me,
        change_me,
        change_own_password,
        delete_me,
    ],
    tags=["users"],
)
