"""The SMTP pool with servers that refuse emails, drop connections, hang or send nonsense."""

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


async def do_nothing() -> None:
    pass


async def send(pool: SmtpPool, recipient: str = RECIPIENT) -> None:
    await pool.send(SENDER, recipient, CONTENT, before_data=do_nothing)


async def send_failure(server: ScriptedServer, **options: object) -> Exception:
    async with smtp_pool_to(server, **options) as pool:  # type: ignore[arg-type] # passed through
        with pytest.raises(Exception) as caught:  # callers check its type
            await send(pool)
        assert "ada" not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert pool.idle_connections == 0
    return caught.value


async def test_email_arrives_unchanged() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        await send(pool)
    assert [CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n"] == server.accepted
    assert f"MAIL FROM:<{SENDER}>" in server.commands
    assert f"RCPT TO:<{RECIPIENT}>" in server.commands
    assert "EHLO activelog.example" in server.commands


@pytest.mark.parametrize(
    ("stage", "reply", "error_type"),
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
async def test_bad_and_missing_replies_are_mapped_to_errors(
    stage: str, reply: str, error_type: type[Exception]
) -> None:
    replies = {stage: reply}
    async with scripted_server(replies) as server:
        assert error_type is type(await send_failure(server, **short_limits(replies)))


@pytest.mark.parametrize(
    ("stage", "reply", "blames"),
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
async def test_only_replies_about_the_address_blame_the_address(
    stage: str, reply: str, blames: bool
) -> None:
    async with scripted_server({stage: reply}) as server:
        refusal = await send_failure(server)
    assert isinstance(refusal, Refused)
    assert blames == refusal.blames_address


async def test_unreachable_server_is_an_outage() -> None:
    async with scripted_server() as server:
        pass
    assert Unavailable is type(await send_failure(server))


@pytest.mark.parametrize(
    ("reply", "error_type"),
    [("535 5.7.8 wrong", AuthenticationFailed), ("454 4.7.0 not now", Unavailable)],
)
async def test_rejected_credentials_and_a_failing_auth_service_raise_different_errors(
    reply: str, error_type: type[Exception]
) -> None:
    async with scripted_server({"AUTH": reply}) as server:
        assert error_type is type(await send_failure(server, password="secret"))


async def test_non_ascii_recipient_address_is_refused_without_sending_rcpt() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(Refused) as caught:
            await send(pool, "adä@example.com")
    assert caught.value.blames_address
    assert not [command for command in server.commands if command.startswith("RCPT")]


async def test_non_ascii_sender_address_does_not_blame_the_recipient() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(AuthenticationFailed):
            await pool.send("hellö@activelog.example", RECIPIENT, CONTENT, before_data=do_nothing)


async def test_many_emails_share_a_few_connections() -> None:
    async with scripted_server() as server:
        async with smtp_pool_to(server, connections=3) as pool:
            await asyncio.gather(*(send(pool) for _ in range(60)))
            assert pool.idle_connections == 3
        await until(lambda: server.commands.count("QUIT") == 3)
    assert len(server.accepted) == 60
    assert server.connections == 3
    assert server.max_at_once == 3


async def test_connection_is_replaced_after_a_hundred_emails() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        for _ in range(101):
            await send(pool)
    assert len(server.accepted) == 101
    assert server.connections == 2


async def test_old_connection_is_replaced_before_the_server_would_close_it() -> None:
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


async def test_idle_connection_closed_by_the_server_is_not_an_outage() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        await send(pool)
        server.hang_up()
        await send(pool)
        server.replies_once["MAIL"] = "421 idle for too long"
        await send(pool)
    assert server.replies_once == {}
    assert len(server.accepted) == 3


async def test_idle_connections_that_stopped_responding_are_not_an_outage() -> None:
    """Idle connections share one timeout: with a second for each, the email would time out."""
    async with (
        scripted_server() as server,
        smtp_pool_to(server, connections=64, timeout=60, reuse_timeout=1) as pool,
    ):
        await asyncio.gather(*(send(pool) for _ in range(64)))
        before = server.connections
        server.freeze()
        await send(pool)
    assert 64 == before
    assert (65, 65) == (len(server.accepted), server.connections)
    assert REUSE_SHARE < 0.5  # by default, too, most of the time is left for a new connection


async def test_rejected_recipient_does_not_affect_concurrent_sends() -> None:
    async with scripted_server() as server, smtp_pool_to(server) as pool:
        server.replies_to["gone@example.com"] = "550 5.1.1 gone"
        recipients = [*("ada@example.com",) * 9, "gone@example.com", *("bo@example.com",) * 9]
        results = await asyncio.gather(
            *(send(pool, recipient) for recipient in recipients), return_exceptions=True
        )
    assert len(server.accepted) == 18
    assert [Refused] == [type(result) for result in results if result is not None]


async def test_email_is_not_sent_if_before_data_raises() -> None:
    async def refuse() -> None:
        raise LookupError

    async with scripted_server() as server, smtp_pool_to(server) as pool:
        with pytest.raises(LookupError):
            await pool.send(SENDER, RECIPIENT, CONTENT, before_data=refuse)
        assert "DATA" not in server.commands
        await send(pool)
    assert len(server.accepted) == 1


async def test_waiting_for_a_free_connection_times_out() -> None:
    """With a limit of zero connections, no connection is ever free."""
    async with scripted_server() as server:
        assert Unavailable is type(await send_failure(server, connections=0, timeout=SHORT_S))
        assert server.connections == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("tls_mode", ["implicit", "starttls"])
@pytest.mark.parametrize("flaw", [None, "unknown authority", "another name", "expired"])
async def test_server_must_have_a_valid_certificate(
    tls_mode: str,
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
    async with scripted_server(implicit_tls=tls_mode == "implicit", tls=context) as server:
        if flaw:
            assert Unavailable is type(await send_failure(server, tls=tls_mode, password="secret"))
            assert not [command for command in server.commands if command.startswith("AUTH")]
            return
        async with smtp_pool_to(server, tls=tls_mode, password="secret") as pool:
            await send(pool)
    assert len(server.accepted) == 1


async def test_no_password_is_sent_if_starttls_is_required_but_not_offered() -> None:
    async with scripted_server({"EHLO": "250-scripted\r\n250 AUTH PLAIN"}) as server:
        assert Unavailable is type(await send_failure(server, tls="starttls", password="secret"))
    assert not [command for command in server.commands if command.startswith("AUTH")]


async def test_connection_is_closed_if_ehlo_is_rejected() -> None:
    async with scripted_server({"EHLO": "550 go away"}) as server:
        assert Unavailable is type(await send_failure(server))
        await until(lambda: not server.open)
