"""The SMTP pool against servers that refuse, drop, hang and lie."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from app.email.smtp import (
    Ambiguous,
    AuthenticationFailed,
    Refused,
    SmtpPool,
    TemporarilyRefused,
)
from app.email.smtp.connection import MAX_AGE_S
from app.email.smtp.pool import REUSE_SHARE
from app.errors import Unavailable
from tests.email.scripted import (
    DROP,
    HANG,
    SHORT_S,
    ScriptedServer,
    scripted_server,
    short_limits,
    smtp_pool_to,
)
from tests.support.working import until

SENDER, RECIPIENT = "hello@activelog.example", "ada@example.com"
CONTENT = b"Subject: hello\r\n\r\n.a line that begins with a dot\r\n"


async def nothing() -> None:
    pass


async def send(pool: SmtpPool, recipient: str = RECIPIENT) -> None:
    await pool.send(SENDER, recipient, CONTENT, before_data=nothing)


async def failure(server: ScriptedServer, **how: object) -> Exception:
    async with smtp_pool_to(server, **how) as pool:  # type: ignore[arg-type] # passed through
        with pytest.raises(Exception) as caught:  # its kind is what is asked for
            await send(pool)
        assert "ada" not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert pool.idle_connections == 0
    return caught.value


async def test_a_letter_arrives_as_it_was_handed_over() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        await send(pool)
    assert [CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n"] == server.accepted
    assert f"MAIL FROM:<{SENDER}>" in server.commands
    assert f"RCPT TO:<{RECIPIENT}>" in server.commands
    assert "EHLO activelog.example" in server.commands


@pytest.mark.parametrize(
    ("stage", "answer", "kind"),
    [
        ("greeting", "421 busy", Unavailable),
        ("greeting", "554 go away", Unavailable),
        ("greeting", "nonsense", Unavailable),
        ("greeting", DROP, Unavailable),
        ("greeting", HANG, Unavailable),
        ("EHLO", "421 closing", Unavailable),
        ("MAIL", "421 closing", Unavailable),
        ("MAIL", "451 try later", TemporarilyRefused),
        ("MAIL", "530 authenticate first", AuthenticationFailed),
        ("MAIL", "550 5.7.1 not your address", AuthenticationFailed),
        ("RCPT", "421 too many", Unavailable),
        ("RCPT", "450 4.2.1 mailbox ada busy", TemporarilyRefused),
        ("RCPT", "451 greylisted", TemporarilyRefused),
        ("RCPT", "550 5.1.1 <ada@example.com>: no such user ada", Refused),
        ("RCPT", "552 mailbox full", Refused),
        ("RCPT", DROP, Unavailable),
        ("RCPT", HANG, Unavailable),
        ("DATA", "451 not now", TemporarilyRefused),
        ("DATA", "554 no valid recipients", Refused),
        ("DATA", DROP, Unavailable),
        ("DATA", HANG, Unavailable),
        ("content", "421 closing", Unavailable),
        ("content", "451 disk full", TemporarilyRefused),
        ("content", "552 too big", Refused),
        ("content", "554 5.7.1 spam", Refused),
        ("content", DROP, Ambiguous),
        ("content", HANG, Ambiguous),
    ],
)
async def test_every_answer_is_one_fact(stage: str, answer: str, kind: type[Exception]) -> None:
    says = {stage: answer}
    async with scripted_server(says) as server:
        assert kind is type(await failure(server, **short_limits(says)))


@pytest.mark.parametrize(
    ("stage", "answer", "blamed"),
    [
        ("RCPT", "550 no such user", True),
        ("RCPT", "550 5.1.1 no such user", True),
        ("RCPT", "550 5.2.1 disabled", True),
        ("RCPT", "550 5.5.0 mailbox unavailable", True),
        ("RCPT", "553 malformed", True),
        ("RCPT", "552 full", False),
        ("RCPT", "552 5.2.2 full", False),
        ("RCPT", "550 5.7.1 your server is on a list", False),
        ("RCPT", "550 5.1.8 the sender's domain does not exist", False),
        ("content", "550 5.1.1 no such user", True),
        ("content", "550 5.7.1 spam", False),
        ("content", "554 spam", False),
    ],
)
async def test_an_address_is_blamed_only_for_itself(stage: str, answer: str, blamed: bool) -> None:
    async with scripted_server({stage: answer}) as server:
        refusal = await failure(server)
    assert isinstance(refusal, Refused)
    assert blamed == refusal.blames_address


async def test_no_server_is_an_outage() -> None:
    async with scripted_server() as server:
        pass
    assert Unavailable is type(await failure(server))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("535 5.7.8 wrong", AuthenticationFailed), ("454 4.7.0 not now", Unavailable)],
)
async def test_refused_credentials_are_told_from_a_server_that_cannot_check_them(
    answer: str, kind: type[Exception]
) -> None:
    async with scripted_server({"AUTH": answer}) as server:
        assert kind is type(await failure(server, password="secret"))


async def test_an_address_that_smtp_cannot_carry_is_refused_before_it_is_sent() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(Refused) as caught:
            await send(pool, "adä@example.com")
    assert caught.value.blames_address
    assert not [command for command in server.commands if command.startswith("RCPT")]


async def test_a_sender_that_smtp_cannot_carry_is_no_fault_of_the_recipient() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(AuthenticationFailed):
            await pool.send("hellö@activelog.example", RECIPIENT, CONTENT, before_data=nothing)


async def test_many_letters_share_few_connections() -> None:
    async with scripted_server() as server:
        async with smtp_pool_to(server, connections=3) as pool:
            await asyncio.gather(*(send(pool) for _ in range(60)))
            assert pool.idle_connections == 3
        await until(lambda: server.commands.count("QUIT") == 3)
    assert len(server.accepted) == 60
    assert server.connections == 3
    assert server.max_at_once == 3


async def test_a_connection_is_replaced_after_a_hundred_letters() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        for _ in range(101):
            await send(pool)
    assert len(server.accepted) == 101
    assert server.connections == 2


async def test_a_connection_is_replaced_before_servers_end_it_for_its_age() -> None:
    seconds = 0.0
    async with scripted_server() as server, smtp_pool_to(server, clock=lambda: seconds) as pool:
        await send(pool)
        seconds = MAX_AGE_S - 1
        await send(pool)
        assert server.connections == 1
        seconds = MAX_AGE_S + 1
        await send(pool)
    assert (len(server.accepted), server.connections) == (3, 2)
    assert MAX_AGE_S < 300


async def test_a_connection_that_the_server_ended_while_idle_is_no_outage() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        await send(pool)
        server.hang_up()
        await send(pool)
        server.replies_once["MAIL"] = "421 idle for too long"
        await send(pool)
    assert server.replies_once == {}
    assert len(server.accepted) == 3


async def test_connections_that_went_silent_while_idle_are_no_outage() -> None:
    """They share one time limit: with a second for each, the email would run out of time."""
    async with (
        scripted_server() as server,
        smtp_pool_to(server, connections=64, timeout=60, reuse_timeout=1) as pool,
    ):
        await asyncio.gather(*(send(pool) for _ in range(64)))
        kept = server.connections
        server.freeze()
        await send(pool)
    assert 64 == kept
    assert (65, 65) == (len(server.accepted), server.connections)
    assert REUSE_SHARE < 0.5  # by default too, most of the time is left for a new connection


async def test_a_recipient_refused_among_good_ones_harms_none_of_them() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        server.replies_to["gone@example.com"] = "550 5.1.1 gone"
        names = [*("ada@example.com",) * 9, "gone@example.com", *("bo@example.com",) * 9]
        results = await asyncio.gather(
            *(send(pool, name) for name in names), return_exceptions=True
        )
    assert len(server.accepted) == 18
    assert [Refused] == [type(result) for result in results if result is not None]


async def test_a_letter_can_be_withheld_until_data() -> None:
    async def withhold() -> None:
        raise LookupError

    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(LookupError):
            await pool.send(SENDER, RECIPIENT, CONTENT, before_data=withhold)
        assert "DATA" not in server.commands
        await send(pool)
    assert len(server.accepted) == 1


async def test_waiting_for_a_free_connection_ends_in_time() -> None:
    """With no connections allowed, none is ever free."""
    async with scripted_server() as server:
        assert Unavailable is type(await failure(server, connections=0, timeout=SHORT_S))
        assert server.connections == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("how", ["implicit", "starttls"])
@pytest.mark.parametrize("flaw", [None, "unknown authority", "another name", "expired"])
async def test_the_server_must_show_a_certificate_that_we_trust(
    how: str,
    flaw: str | None,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted = tmp_path / "trusted.pem"
    (trustme.CA() if flaw == "unknown authority" else authority).cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    name = "smtp.example.com" if flaw == "another name" else "127.0.0.1"
    not_after = datetime.now(UTC) - timedelta(days=1) if flaw == "expired" else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    async with scripted_server(implicit_tls=how == "implicit", tls=context) as server:
        if flaw:
            assert Unavailable is type(await failure(server, tls=how, password="secret"))
            assert not [command for command in server.commands if command.startswith("AUTH")]
            return
        async with smtp_pool_to(server, tls=how, password="secret") as pool:
            await send(pool)
    assert len(server.accepted) == 1


async def test_no_password_is_sent_to_a_server_without_starttls() -> None:
    async with scripted_server({"EHLO": "250-scripted\r\n250 AUTH PLAIN"}) as server:
        assert Unavailable is type(await failure(server, tls="starttls", password="secret"))
    assert not [command for command in server.commands if command.startswith("AUTH")]


async def test_a_connection_that_is_not_greeted_back_is_closed() -> None:
    async with scripted_server({"EHLO": "550 go away"}) as server:
        assert Unavailable is type(await failure(server))
        await until(lambda: not server.open)
