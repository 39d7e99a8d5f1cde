"""Helpers that add an operator and sign in with the browser."""

from __future__ import annotations

from playwright.async_api import Page, expect

from app.postgres.database import Database
from app.users.accounts import create_admin
from app.users.passwords import Passwords
from tests.users.people import PASSWORD

OPERATOR = "ada@example.com"


async def add_operator(database: Database) -> None:
    password_hash = await Passwords().hash(PASSWORD)
    async with database.transaction() as tx:
        await create_admin(tx, OPERATOR, password_hash, by="test")


async def sign_in(page: Page, path: str, email: str = OPERATOR) -> None:
    """Go to a page that requires sign-in, through the sign-in form."""
    await page.goto(path)
    await page.get_by_label("Email address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(path)
    await page.wait_for_load_state()  # until its scripts have loaded
