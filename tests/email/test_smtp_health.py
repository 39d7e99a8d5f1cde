"""Which replies show that the mail server is available, so that waiting jobs may start."""

from __future__ import annotations

from contextlib import suppress

import pytest

from app import dependency_health
from app.email.smtp import Refused, TemporarilyRefused
from app.errors import Unavailable
from tests.email.scripted import HANG, scripted_server, short_limits, smtp_pool_to
from tests.email.test_smtp import send


@pytest.mark.parametrize(
    ("replies", "available"),
    [
        ({}, True),
        ({"RCPT": "451 greylisted"}, True),
        ({"RCPT": "550 5.1.1 no such user"}, True),
        ({"greeting": "421 busy"}, False),
        ({"MAIL": "530 authenticate first"}, False),
        ({"RCPT": HANG}, False),
    ],
)
async def test_server_is_available_if_it_accepts_or_refuses_a_recipient_but_not_if_it_fails(
    replies: dict[str, str], available: bool
) -> None:
    responses = dependency_health.track()
    async with (
        scripted_server(replies) as server,
        smtp_pool_to(server, **short_limits(replies)) as pool,
    ):
        with suppress(Unavailable, Refused, TemporarilyRefused):
            await send(pool)
    assert available == ("smtp" in responses)
