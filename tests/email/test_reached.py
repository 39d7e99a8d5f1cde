"""What the mailer takes for an answer of the server: whoever waits for it waits no longer then."""

from __future__ import annotations

from contextlib import suppress

import pytest

from app import dependency_health
from app.email.smtp import Refused, TemporarilyRefused
from app.errors import Unavailable
from tests.email.scripted import HANG, mailer_to, scripted, short_limits
from tests.email.test_smtp import send


@pytest.mark.parametrize(
    ("says", "answered"),
    [
        ({}, True),
        ({"RCPT": "451 greylisted"}, True),
        ({"RCPT": "550 5.1.1 no such user"}, True),
        ({"greeting": "421 busy"}, False),
        ({"MAIL": "530 authenticate first"}, False),
        ({"RCPT": HANG}, False),
    ],
)
async def test_a_server_that_refuses_a_letter_has_answered_and_one_that_is_away_has_not(
    says: dict[str, str], answered: bool
) -> None:
    answers = dependency_health.track()
    async with scripted(says) as script, mailer_to(script, **short_limits(says)) as mailer:
        with suppress(Unavailable, Refused, TemporarilyRefused):
            await send(mailer)
    assert answered == ("smtp" in answers)
