"""`python -m app email`, run as a process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from app.embedded.inbox import Inbox
from app.postgres.database import Database
from tests.email.scripted import scripted_server
from tests.jobs.test_command_line import cli

SUPPRESSIONS = ("email", "suppressions")


async def suppressed(database: Database) -> list[str]:
    rows = await database.fetch("select address from suppressions order by address")
    return [row["address"] for row in rows]


async def test_suppressions_are_imported_listed_and_lifted(
    environ: Mapping[str, str], database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "bounces.txt"
    file.write_text("Ada@Example.com\n\n  bob@example.com\r\nada@example.com\n")
    first = await cli(environ, *SUPPRESSIONS, "import", str(file), "--reason", "complaints")
    assert (0, "suppressed 2 addresses, 2 of them new\n") == (first.code, first.out)
    piped = await cli(
        environ, *SUPPRESSIONS, "import", "-", stdin="bob@example.com\neve@example.com"
    )
    assert (0, "suppressed 2 addresses, 1 of them new\n") == (piped.code, piped.out)
    assert ["ada@example.com", "bob@example.com", "eve@example.com"] == await suppressed(database)

    listed = await cli(environ, *SUPPRESSIONS, "list")
    assert "address" in listed.out.splitlines()[0]
    assert "complaints" in listed.out
    newest = await cli(environ, *SUPPRESSIONS, "list", "--limit", "1", "--json")
    assert ["eve@example.com"] == [row["address"] for row in newest.json]

    lifted = await cli(environ, *SUPPRESSIONS, "lift", "EVE@example.com")
    assert (0, "emails to this address are allowed again\n") == (lifted.code, lifted.out)
    again = await cli(environ, *SUPPRESSIONS, "lift", "eve@example.com")
    assert (2, "activelog: This address is not suppressed.\n") == (again.code, again.err)
    assert ["ada@example.com", "bob@example.com"] == await suppressed(database)


async def test_nothing_is_imported_from_an_invalid_or_missing_file(
    environ: Mapping[str, str], database: Database, tmp_path: Path
) -> None:
    wrong = await cli(environ, *SUPPRESSIONS, "import", "-", stdin="ada@example.com\nno address\n")
    assert (2, "activelog: Line 2 is not an address. Nothing was imported.\n") == (
        wrong.code,
        wrong.err,
    )
    missing = await cli(environ, *SUPPRESSIONS, "import", str(tmp_path / "missing"))
    assert missing.code == 2
    assert "Cannot read " in missing.err
    assert [] == await suppressed(database)


async def test_test_email_is_sent_immediately_and_not_recorded_in_the_ledger(
    environ: Mapping[str, str], database: Database, inbox: Inbox
) -> None:
    sent = await cli(environ, "email", "test", "ada@example.com")
    assert sent.code == 0, sent.err
    assert "(in plain text) accepted the email in" in sent.out
    (email,) = inbox.emails("ada@example.com")
    assert email.subject == "ActiveLog test email"
    assert "DKIM     none" in str(email.text)
    assert 0 == await database.fetchval("select count(*) from emails")


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"RCPT": "550 5.1.1 no such user"}, "SMTP: RCPT: 550 5.1.1 no such user"),
        ({"greeting": "421 busy"}, "SMTP: connecting: 421 busy"),
    ],
)
async def test_server_reply_is_printed_if_the_test_email_fails(
    environ: Mapping[str, str], database: Database, replies: dict[str, str], error: str
) -> None:
    async with scripted_server(replies) as server:
        url = f"smtp://127.0.0.1:{server.port}"
        refused = await cli({**environ, "SMTP_URL": url}, "email", "test", "ada@example.com")
    assert (1, f"activelog: {error}\n") == (refused.code, refused.err)


async def test_test_email_requires_a_valid_address(environ: Mapping[str, str]) -> None:
    refused = await cli(environ, "email", "test", "nobody")
    assert refused.code == 2
    assert refused.err.startswith("activelog: Expected an email address")
