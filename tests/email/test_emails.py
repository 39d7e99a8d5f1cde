"""All emails that we send: awkward names, unsubscribe links, DKIM signatures and size."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import date, timedelta
from email.message import EmailMessage
from uuid import UUID

import dkim  # type: ignore[import-untyped] # has no stubs
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.email import Email, one_line
from app.email.compose import compose
from app.email.email import EMAILS
from app.email.subscriptions import SUBSCRIPTIONS, read_unsubscribe_token, unsubscribe_token
from app.exports.emails import describe
from app.exports.export import Filters
from app.friends.emails import FriendActivity
from app.friends.statements import News
from app.jobs.handlers import load_handlers
from app.settings import Dkim
from tests.email.reading import AWKWARD, NOON, HtmlText, compose_and_parse, email_config, recipient

load_handlers()
SAMPLES = {
    name: email.sample() for name, email in EMAILS.items() if email.__module__.startswith("app.")
}
NAMED = [name for name, email in SAMPLES.items() if "name" in email.__struct_fields__]
SUBSCRIBED = [name for name, email in SAMPLES.items() if email.subscription]


def with_name(email: Email, name: str) -> Email:
    """Return the email with this name for its recipient and, if it has one, its requester."""
    names = {"name", "requester"} & set(email.__struct_fields__)
    return msgspec.structs.replace(email, **dict.fromkeys(names, one_line(name)))


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content()


@pytest.mark.parametrize("awkward", AWKWARD)
@pytest.mark.parametrize("email", NAMED)
def test_awkward_name_appears_in_both_parts_of_every_email_with_a_name(
    email: str, awkward: str
) -> None:
    name = one_line(AWKWARD[awkward])
    message = compose_and_parse(
        with_name(SAMPLES[email], AWKWARD[awkward]), recipient(AWKWARD[awkward])
    )
    text, html = parts(message)
    visible = HtmlText(html)
    assert name in " ".join(text.split())
    assert name in " ".join(visible.text.split())
    assert "script" not in visible.tags
    assert message["Bcc"] is None


@pytest.mark.parametrize("words", AWKWARD.values(), ids=AWKWARD)
def test_names_and_notes_of_friends_are_shown_as_plain_text(words: str) -> None:
    news = News(words, "run", NOON, 3000, 8200.0, words)
    message = compose_and_parse(FriendActivity.from_news(words, [news], more=0), recipient("Ada"))
    text, html = parts(message)
    visible = HtmlText(html)
    for shown_text in (" ".join(text.split()), " ".join(visible.text.split())):
        assert one_line(words) + " ran 8.2 km in 50 min" in shown_text
        assert one_line(words)[:80] in shown_text.partition("24 November")[2]
    assert "script" not in visible.tags
    assert len(str(message["Subject"])) <= 120
    assert message["Bcc"] is None


def test_news_is_grouped_by_day_and_a_single_item_is_not_repeated() -> None:
    monday = [News(who, "run", NOON - timedelta(days=1), 60, 500.0, None) for who in "AB"]
    tuesday = News("C", "swim", NOON, 60, 500.0, "cold")
    text, html = parts(
        compose_and_parse(
            FriendActivity.from_news("Ada", [tuesday, *monday], more=0), recipient("Ada")
        )
    )
    assert (1, 1) == (text.count("Monday, 23 November"), html.count("Monday, 23 November"))
    assert text.index("A ran") < text.index("B ran") < text.index("24 November")
    text, html = parts(
        compose_and_parse(FriendActivity.from_news("Ada", [tuesday], more=0), recipient("Ada"))
    )
    assert (1, 3) == (text.count("swam"), html.count("swam"))  # including the title and preheader


@pytest.mark.parametrize(
    ("names", "headline"),
    [
        ("A", "A swam 500 m in 1 min"),
        ("AA", "A recorded 2 activities"),
        ("AB", "A and B were active"),
        ("ABCB", "A, B and C were active"),
        ("ABCD", "A, B and 2 other friends were active"),
    ],
)
def test_headline_depends_on_the_number_of_friends_and_activities(
    names: str, headline: str
) -> None:
    news = [News(name, "swim", NOON, 60, 500.0, None) for name in names]
    assert FriendActivity.from_news("Ada", news, more=0).headline == headline


def test_news_beyond_the_limit_is_counted_and_long_notes_are_truncated() -> None:
    many = [News(f"Friend {n}", "other", NOON, 60, 5.0, "word " * 400) for n in range(12)]
    email = FriendActivity.from_news("Ada", many, more=28)
    assert isinstance(email, FriendActivity)
    assert (12, 28) == (len(email.entries), email.more)
    assert email.headline == "40 new activities from your friends"
    assert all(len(entry.notes) <= 160 for entry in email.entries)
    assert "And 28 more." in parts(compose_and_parse(email, recipient("Ada")))[0]


@pytest.mark.parametrize("email", SAMPLES)
def test_email_is_readable_without_images_or_styles(email: str) -> None:
    text, html = parts(compose_and_parse(SAMPLES[email], recipient("Ada")))
    bare = re.sub(r'<style>.*?</style>|style="[^"]*"|class="[^"]*"', "", html, flags=re.DOTALL)
    assert "<img" not in html
    assert "url(" not in html
    links = re.findall(r'href="([^"]+)"', bare)
    assert all(link in text for link in links)
    assert 'role="presentation"' in bare
    assert len(html.encode()) < 60_000
    assert max(len(line) for line in text.splitlines() if "http" not in line) <= 76


def test_weekly_chart_has_table_cells_as_bars_in_html_and_blocks_in_text() -> None:
    text, html = parts(compose_and_parse(SAMPLES["weekly_summary"], recipient("Ada")))
    bare = re.sub(r'<style>.*?</style>|style="[^"]*"', "", html, flags=re.DOTALL)
    bars = re.findall(r'<td class="fill" bgcolor="#0b5d47" width="(\d+)%"', bare)
    assert bars == ["27", "55", "20", "100", "42"]
    assert re.findall(r"(?m)^(Mon|Fri) +█+ (.*)$", text) == [
        ("Mon", "45 min, 8.1 km"),
        ("Fri", "2 h 44 min, 61.4 km"),
    ]


def test_button_is_readable_without_styles() -> None:
    """Its cell is green even without styles, so a link in the default blue would be unreadable."""
    _, html = parts(compose_and_parse(SAMPLES["welcome"], recipient("Ada")))
    bare = re.sub(r'<style>.*?</style>| style="[^"]*"', "", html, flags=re.DOTALL)
    (button,) = re.findall(r"<td[^>]*button-cell[^>]*>.*?</td>", bare)
    assert 'bgcolor="#0b5d47"' in button
    assert re.search(r'<font [^>]*color="#ffffff"[^>]*>Confirm my address</font>', button)


@pytest.mark.parametrize(
    ("filters", "what"),
    [
        (Filters(), "all activities"),
        (Filters(type="run"), "all runs"),
        (Filters(date(2026, 1, 1), None, "ride"), "rides since 1 January 2026"),
    ],
)
def test_export_emails_describe_the_export(filters: Filters, what: str) -> None:
    for name, sentence in (
        ("export_ready", f"It is a PDF of {what}: 184 activities, 482 kB."),
        ("export_failed", f"You requested a PDF of {what}."),
    ):
        email = msgspec.structs.replace(SAMPLES[name], what=describe(filters))
        text, html = parts(compose_and_parse(email, recipient("Ada")))
        assert sentence in " ".join(text.split())
        assert sentence in " ".join(HtmlText(html).text.split())


def test_longest_digest_is_not_clipped_by_gmail() -> None:
    """Gmail clips HTML that is longer than 102 kB."""
    name, notes = "𓀀" * 100, "𓀀" * 5000
    news = [News(name, "run", NOON, 3000, 8200.0, notes)] * 12
    message = compose(
        email_config(), recipient(name), FriendActivity.from_news(name, news, more=99), "once", NOON
    )
    body = message.get_body(("html",))
    assert body is not None
    assert len(body.as_bytes()) < 100_000


@pytest.mark.parametrize("email", SAMPLES)
def test_only_emails_with_a_subscription_have_an_unsubscribe_link(email: str) -> None:
    url = "https://activelog.example/a-path-that-makes-the-address-quite-long"
    config = replace(email_config(), app_url=url)
    source = compose(config, recipient("Ada"), SAMPLES[email], "once", NOON).as_bytes()
    head = source.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers = [line for line in head if line.startswith("List-Unsubscribe")]
    if email not in SUBSCRIBED:
        assert headers == []
        return
    assert headers[1] == "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    found = re.fullmatch(rf"List-Unsubscribe: <({re.escape(url)}/unsubscribe/(\S+))>", headers[0])
    assert found is not None
    subscription = SAMPLES[email].subscription
    assert read_unsubscribe_token(config.secret, found[2]) == (recipient("Ada").id, subscription)
    for part in parts(compose_and_parse(SAMPLES[email], recipient("Ada"), config)):
        assert found[1] in part


def test_unsubscribe_token_cannot_be_forged() -> None:
    ada, eve = UUID(int=1), UUID(int=2)
    token = unsubscribe_token("secret", ada, "weekly_summary")
    assert read_unsubscribe_token("secret", token) == (ada, "weekly_summary")
    email, _, signature = token.split(".")
    others = unsubscribe_token("other secret", ada, "weekly_summary")
    eves = unsubscribe_token("secret", eve, "weekly_summary").split(".")[1]
    wrong = [
        "", ".", "..", "...", "ü.ü.ü", token[:-1], token + "A", others,
        f"{email}.{eves}.{signature}", token.replace(email, "friend_activity"),
        token.replace(email, "welcome"), f"{email}.AAAA.{signature}", f"{email}..{signature}",
    ]  # fmt: skip
    assert [read_unsubscribe_token("secret", each) for each in wrong] == [None] * len(wrong)
    assert set(SUBSCRIPTIONS) >= {SAMPLES[email].subscription for email in SUBSCRIBED}


def test_only_emails_that_let_their_recipient_confirm_or_leave_may_reach_anyone() -> None:
    reach_anyone = {name for name, email in SAMPLES.items() if email.reaches == "anyone"}
    assert reach_anyone == {"welcome", "confirmation", "confirmation_reminder", "password_reset"}
    assert {name for name, email in SAMPLES.items() if email.may_use_reserve} == {"password_reset"}


@pytest.fixture(scope="module")
def key() -> tuple[Dkim, bytes]:
    """A key such as `openssl genrsa` generates, and its DNS record."""
    pair = rsa.generate_private_key(65537, 2048)
    pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Dkim("mail", pem), b"v=DKIM1; k=rsa; p=" + b64encode(public)


@pytest.mark.parametrize("email", SAMPLES)
def test_dkim_signature_covers_the_headers_that_providers_require(
    email: str, key: tuple[Dkim, bytes]
) -> None:
    config = replace(email_config(), dkim=key[0])
    sent = config.serialize(compose(config, recipient("Zoë"), SAMPLES[email], "once", NOON))

    def answer(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"mail._domainkey.activelog.example."
        return key[1]

    assert dkim.verify(sent, dnsfunc=answer)
    (names,) = re.findall(rb"\sh=([^;]+);", sent)
    signed = set("".join(names.decode().split()).split(":"))
    assert signed >= {
        "from", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post",
    }  # fmt: skip
    for changed in (b"From: ", b"Subject: ", b"Message-ID: <", b"List-Unsubscribe: <"):
        if changed in sent:
            assert not dkim.verify(sent.replace(changed, changed + b"x", 1), dnsfunc=answer)
    head = sent.index(b"Subject: ")
    second = sent[:head] + b"From: eve@example.com\r\n" + sent[head:]
    assert not dkim.verify(second, dnsfunc=answer)
    assert "BEGIN" not in repr(config)
    assert "a test secret" not in repr(config)


def test_only_friend_requests_and_confirmations_have_a_limit_per_person() -> None:
    limits = {
        name: email.limit_per_person for name, email in SAMPLES.items() if email.limit_per_person
    }
    day = timedelta(days=1)
    assert limits == {"friend_request": (10, day), "confirmation": (6, day)}
