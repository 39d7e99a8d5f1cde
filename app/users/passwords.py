"""Hashing passwords with argon2id, in threads, so that the event loop keeps turning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")


class Passwords:
    """The hasher of a process. `at_once` bounds its memory: a hash takes 64 MiB."""

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(at_once)
        self._decoy = self._hasher.hash("")

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
