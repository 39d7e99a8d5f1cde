"""Which passwords are accepted, and how many may wait to be hashed."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from unicodedata import normalize

import httpx
import pytest
from argon2 import PasswordHasher

from app.errors import Busy
from app.postgres.database import Database
from app.users.email_links import issue_token
from app.users.passwords import Passwords
from tests.users.people import PASSWORD, new_user, sign_up, signed_in

EASY = "This password is easy to guess. Choose a longer one, such as four unrelated words."


@pytest.mark.parametrize(
    "password",
    [
        "1234567890",
        "password123",
        "passwordpassword",
        "aaaaaaaaaa",
        " " * 10,
        "\u200b" * 10,
        "qwertyuiop",
        "kim@example.com",
        "KimKimKimKim",
        "activelog123",
    ],
)
async def test_password_that_is_easy_to_guess_is_refused_at_sign_up(
    api: httpx.AsyncClient, password: str
) -> None:
    response = await api.post("/api/v1/users", json={**new_user(), "password": password})
    assert response.status_code == 400
    assert response.json()["errors"] == [{"field": "password", "detail": EASY}]


async def test_password_cannot_be_changed_to_one_that_is_easy_to_guess(
    api: httpx.AsyncClient,
) -> None:
    headers = await signed_in(api)
    change = {"current_password": PASSWORD, "password": "kim@example.com"}
    response = await api.put("/api/v1/users/me/password", json=change, headers=headers)
    assert response.status_code == 400
    assert response.json()["errors"] == [{"field": "password", "detail": EASY}]


async def test_password_matches_however_its_characters_are_composed() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    sentence = "größere Wälder im Süden"
    password_hash = await passwords.hash_new(normalize("NFC", sentence), about=[])
    assert await passwords.verify(normalize("NFD", sentence), password_hash)


async def test_length_of_a_password_is_counted_after_normalization(api: httpx.AsyncClient) -> None:
    """Nine letters, each of two characters that normalization joins."""
    nine = normalize("NFD", "äöüåéàèñç")
    response = await api.post("/api/v1/users", json={**new_user(), "password": nine})
    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"] == "10 to 128 characters."


class BlockedHasher(PasswordHasher):
    """A hasher that waits until `unblocked` is set."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.unblocked = threading.Event()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.unblocked.wait()
        return super().hash(password, salt=salt)


async def test_places_in_the_queue_are_limited_and_some_are_kept_for_known_devices() -> None:
    hasher = BlockedHasher()
    passwords = Passwords(hasher, max_concurrent=1)
    hashing: list[asyncio.Task[str]] = []

    async def enqueue(count: int, client: str | None, *, known_device: bool = False) -> None:
        for _ in range(count):
            call = passwords.hash(PASSWORD, client=client, known_device=known_device)
            hashing.append(asyncio.create_task(call))
        await asyncio.sleep(0)

    async def assert_refused(client: str, *, known_device: bool = False) -> None:
        with pytest.raises(Busy):
            await passwords.hash(PASSWORD, client=client, known_device=known_device)

    await enqueue(1, None)  # takes the only slot
    for number in range(5):
        await enqueue(3, f"203.0.113.{number}")
        await assert_refused(f"203.0.113.{number}")
    await assert_refused("198.51.100.1")
    await enqueue(3, "198.51.100.1", known_device=True)
    await enqueue(2, "198.51.100.2", known_device=True)
    await assert_refused("198.51.100.3", known_device=True)

    hasher.unblocked.set()
    assert len(await asyncio.gather(*hashing)) == 21
    await passwords.hash(PASSWORD, client="203.0.113.0")


async def test_cancelled_attempt_gives_up_its_place_in_the_queue() -> None:
    hasher = BlockedHasher()
    passwords = Passwords(hasher, max_concurrent=1)
    first = asyncio.create_task(passwords.hash(PASSWORD))
    await asyncio.sleep(0)
    for _ in range(4):
        waiting = asyncio.create_task(passwords.hash(PASSWORD, client="203.0.113.7"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    last = asyncio.create_task(passwords.hash(PASSWORD, client="203.0.113.7"))
    hasher.unblocked.set()
    await asyncio.gather(first, last)


async def test_password_cannot_be_reset_to_the_address(
    api: httpx.AsyncClient, database: Database
) -> None:
    await sign_up(api)
    user_id = await database.fetchval("select id from users")
    async with database.transaction() as tx:
        token = await issue_token(tx, user_id, "reset", timedelta(hours=1))
    for password, status in (("kim@example.com", 400), ("a longer walk on the beach", 204)):
        response = await api.post(f"/api/v1/password-resets/{token}", json={"password": password})
        assert response.status_code == status
