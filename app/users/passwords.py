"""Hashing passwords with argon2id, in threads, so that the event loop keeps turning."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from secrets import token_bytes
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

T = TypeVar("T")


class Passwords:
    """The hasher of a process. `at_once` bounds its memory: a hash takes 46 MiB.

    One lane and one pass, from the equally strong choices of OWASP's Password Storage Cheat Sheet:
    the least time of one core, and the event loop needs the others.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2) -> None:
        self._hasher = hasher or PasswordHasher(memory_cost=47104, time_cost=1, parallelism=1)
        self._slots = asyncio.Semaphore(at_once)
        self._decoy = _decoy(self._hasher)

    async def hash(self, password: str) -> str:
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password has this hash, with the same work when there is none."""

        def check() -> bool:
            try:
                self._hasher.verify(password_hash or self._decoy, password)
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

        return await self._in_thread(check)

    def outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._slots:
            return await asyncio.to_thread(work)


def _decoy(hasher: PasswordHasher) -> str:
    """A hash that no password has, and that takes as much work to find out as a real one."""
    salt, digest = (
        b64encode(token_bytes(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"
