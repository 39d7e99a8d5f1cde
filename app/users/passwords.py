"""Passwords: hashing with argon2id, changing a password, and resetting a forgotten one.

Hashing runs in threads, so that it does not block the event loop. A reset request is stored under
its email address, whether or not an account has that address. Only the job looks up the account,
so that neither the response nor its timing reveals whether there is one.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from zxcvbn import zxcvbn

from app import jobs, problems
from app.errors import Busy, Conflict, Forbidden, Gone, Invalid
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.users import statements
from app.users.email_links import token_hash
from app.users.emails import SendPasswordResetEmail
from app.users.jobs import delete_unconfirmed
from app.users.statements import Credentials, TokenOwner
from app.users.user import UserId

T = TypeVar("T")


MAX_WAITING, MAX_WAITING_PER_CLIENT, RESERVED_FOR_KNOWN = 20, 3, 5
"""How many passwords may wait to be hashed, how many of them from one client, and how many places
only known devices and signed-in users can take."""
MIN_CHARACTERS, MAX_CHARACTERS = 10, 128
JUDGED_CHARACTERS = 72
"""How many characters of a password its strength is judged by: zxcvbn accepts no more."""
MIN_SCORE = 2
"""zxcvbn's score for passwords that take at least a million guesses."""
SERVICE = "activelog"


class Passwords:
    """A process's password hasher. `max_concurrent` limits its memory: a hash takes 46 MiB.

    Passwords are normalized (NFKC), so that it does not matter how a keyboard composes characters
    (NIST SP 800-63B, section 5.1.1.2).

    OWASP's Password Storage Cheat Sheet lists several equally strong sets of parameters. The
    set used here, with one lane and one pass, takes the least time on one core; the event loop
    needs the other cores.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, max_concurrent: int = 2) -> None:
        self._hasher = hasher or PasswordHasher(memory_cost=47104, time_cost=1, parallelism=1)
        self._slots = asyncio.Semaphore(max_concurrent)
        self._waiting: Counter[str | None] = Counter()
        self._decoy = _decoy(self._hasher)

    async def hash(
        self, password: str, *, client: str | None = None, known_device: bool = False
    ) -> str:
        """Hash a password.

        Args:
            client: the network address that sent it, for its share of the places in the queue.
            known_device: whether it comes from a known device or from a signed-in user.

        Raises:
            Busy: too many passwords are waiting.
        """
        normalized = normalize("NFKC", password)
        return await self._in_thread(lambda: self._hasher.hash(normalized), client, known_device)

    async def hash_new(
        self,
        password: str,
        *,
        about: Sequence[str],
        client: str | None = None,
        known_device: bool = False,
    ) -> str:
        """Hash a password that somebody has chosen, unless it is easy to guess.

        Args:
            about: the person's name and address, which a password must not consist of.

        The other arguments are those of `hash`.

        Raises:
            Busy: too many passwords are waiting.
            Invalid: the password is common, easy to derive from `about`, too short or too long.
        """

        def check_and_hash() -> str:
            normalized = normalize("NFKC", password)
            refuse_guessable(normalized, about)
            return self._hasher.hash(normalized)

        return await self._in_thread(check_and_hash, client, known_device)

    async def verify(
        self,
        password: str,
        password_hash: str | None,
        *,
        client: str | None = None,
        known_device: bool = False,
    ) -> bool:
        """Tell whether the password matches the hash.

        If there is no hash, do the same work and return False. The other arguments are those of
        `hash`.

        Raises:
            Busy: too many passwords are waiting.
        """
        normalized = normalize("NFKC", password)

        def check() -> bool:
            try:
                self._hasher.verify(password_hash or self._decoy, normalized)
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

        return await self._in_thread(check, client, known_device)

    def needs_rehash(self, password_hash: str) -> bool:
        """Tell whether the hash was made with parameters other than the current ones."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _in_thread(self, work: Callable[[], T], client: str | None, known_device: bool) -> T:
        places = MAX_WAITING if known_device else MAX_WAITING - RESERVED_FOR_KNOWN
        if self._waiting.total() >= places or (
            client and self._waiting[client] >= MAX_WAITING_PER_CLIENT
        ):
            raise Busy("Too many people are signing in. Try again in a few seconds.", retry_after=2)
        self._waiting[client] += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting[client] -= 1
            self._waiting += Counter()  # forgets clients without a waiting password
        try:
            return await asyncio.to_thread(work)
        finally:
            self._slots.release()


def refuse_guessable(password: str, about: Sequence[str]) -> None:
    """Check the length and the strength of a new password (NIST SP 800-63B, section 5.1.1.2).

    zxcvbn estimates the number of guesses from lists of common passwords, names and words.

    Args:
        password: normalized to NFKC.
        about: the person's name and address.

    Raises:
        Invalid: fewer than a million guesses may find the password, or its length is wrong.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise Invalid(f"{MIN_CHARACTERS} to {MAX_CHARACTERS} characters.", field="password")
    words = [SERVICE, *about, *(word for text in about for word in re.split(r"\W+", text) if word)]
    if zxcvbn(password[:JUDGED_CHARACTERS], user_inputs=words)["score"] < MIN_SCORE:
        raise Invalid(
            "This password is easy to guess. Choose a longer one, such as four unrelated words.",
            field="password",
        )


def _decoy(hasher: PasswordHasher) -> str:
    """Return a hash that matches no password, but takes as much work to check as a real one."""
    salt, digest = (
        b64encode(token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


async def check_current_password(
    db: Queryable, passwords: Passwords, user_id: UserId, password: str
) -> Credentials:
    """Check a signed-in user's password, before an action that a session alone must not allow.

    Do not call this in a transaction: hashing is slow.

    Raises:
        Forbidden: the password is wrong, or the account was deleted.
    """
    credentials = await statements.credentials(db, user_id=user_id)
    matches = await passwords.verify(
        password, credentials.password_hash if credentials else None, known_device=True
    )
    if credentials is None or not matches:
        raise wrong_password()
    return credentials


async def change_password(tx: Transaction, credentials: Credentials, password_hash: str) -> None:
    """Replace a password that has been checked, end all sessions and invalidate reset links.

    Raises:
        Forbidden: the account has been deleted, or its password changed, since the check.
    """
    if not await statements.change_password(
        tx, user_id=credentials.id, old_hash=credentials.password_hash, new_hash=password_hash
    ):
        raise wrong_password()
    await statements.remove_sessions(tx, user_id=credentials.id)
    await statements.void_tokens(tx, user_id=credentials.id, purpose="reset")


def wrong_password() -> Forbidden:
    return Forbidden("Wrong password.", problem=problems.WRONG_PASSWORD)


MAX_RESET_EMAILS_PER_HOUR = 3
"""Per address. Further requests get the same response and have no effect."""


async def request_password_reset(tx: Transaction, email: str) -> None:
    """Enqueue a password-reset email. The job checks whether the address has an account."""
    await statements.lock_address(tx, email=email)
    request_id = await statements.add_reset_request(
        tx, email=email, max_per_hour=MAX_RESET_EMAILS_PER_HOUR
    )
    if request_id is not None:
        await jobs.enqueue(tx, SendPasswordResetEmail(request_id=request_id))


async def check_reset_token(db: Queryable, token: str) -> TokenOwner:
    """Return a reset token's account, before showing a form or hashing a password.

    Raises:
        Gone: the token is unknown, used or expired, or its account was deleted. The error does not
            say which.
    """
    owner = await statements.token_owner(db, token_hash=token_hash(token), purpose="reset")
    if owner is None:
        raise _gone()
    return owner


async def reset_password(
    tx: Transaction, token: str, password_hash: str, *, start_afresh: bool = False
) -> None:
    """Set a new password with a reset token, which works once, and end all sessions.

    The account's other reset links become invalid. The address becomes confirmed, because its owner
    has read the email with the link. If it was not confirmed before, somebody else may have made
    the account.

    Args:
        start_afresh: replace the account with an empty one, and erase what the old one held.

    Raises:
        Gone: the token is unknown, used or expired, or its account was deleted. The error does not
            say which.
        Conflict: an account whose address is already confirmed cannot start afresh.
    """
    user_id = await statements.use_token(tx, token_hash=token_hash(token), purpose="reset")
    if user_id is not None and start_afresh:
        await _start_afresh(tx, user_id, password_hash)
        return
    if user_id is None or not await statements.set_password(
        tx, user_id=user_id, password_hash=password_hash
    ):
        raise _gone()
    await statements.confirm_address(tx, user_id=user_id)
    await statements.remove_sessions(tx, user_id=user_id)
    await statements.void_tokens(tx, user_id=user_id, purpose="reset")


async def _start_afresh(tx: Transaction, user_id: UserId, password_hash: str) -> None:
    email = await delete_unconfirmed(tx, user_id)
    if email is None or not await statements.add_confirmed_user(
        tx, email=email, password_hash=password_hash
    ):
        raise Conflict(
            "The address of this account is already confirmed, so it cannot start afresh."
            " Reset the password only."
        )


def _gone() -> Gone:
    return Gone("This link has been used or has expired.")
