"""Every email of the project: to awkward people, subscribed or not, signed, and small enough."""

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
from app.email.unsubscribe import SUBSCRIPTIONS, read_unsubscribe_token, unsubscribe_token
from app.exports.emails import described
from app.exports.export import Filters
from app.friends.emails import FriendActivity
from app.friends.statements import News
from app.settings import Dkim
from tests.email.reading import AWKWARD, NOON, Text, email_config, person, received

SAMPLES = {
    name: email.sample() for name, email in EMAILS.items() if email.__module__.startswith("app.")
}
NAMED = [name for name, email in SAMPLES.items() if "name" in email.__struct_fields__]
SUBSCRIBED = [name for name, email in SAMPLES.items() if email.subscription]


def addressed(email: Email, name: str) -> Email:
    """The email, with this for everybody's name."""
    names = {"name", "requester"} & set(email.__struct_fields__)
    return msgspec.structs.replace(email, **dict.fromkeys(names, one_line(name)))


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content()


@pytest.mark.parametrize("who", AWKWARD)
@pytest.mark.parametrize("email", NAMED)
def test_a_letter_to_an_awkward_person_has_the_name_in_both_parts(email: str, who: str) -> None:
    name = one_line(AWKWARD[who])
    message = received(addressed(SAMPLES[email], AWKWARD[who]), person(AWKWARD[who]))
    text, html = parts(message)
    seen = Text(html)
    assert name in " ".join(text.split())
    assert name in " ".join(seen.text.split())
    assert "script" not in seen.tags
    assert message["Bcc"] is None


@pytest.mark.parametrize("words", AWKWARD.values(), ids=AWKWARD)
def test_friends_names_and_notes_are_words_and_nothing_else(words: str) -> None:
    did = News(words, "run", NOON, 3000, 8200.0, words)
    message = received(FriendActivity.about(words, [did], more=0), person("Ada"))
    text, html = parts(message)
    seen = Text(html)
    for shown in (" ".join(text.split()), " ".join(seen.text.split())):
        assert one_line(words) + " ran 8.2 km in 50 min" in shown
        assert one_line(words)[:80] in shown.partition("24 November")[2]
    assert "script" not in seen.tags
    assert len(str(message["Subject"])) <= 120
    assert message["Bcc"] is None


def test_news_are_told_by_the_day_they_are_of_and_a_single_one_is_told_once() -> None:
    monday = [News(who, "run", NOON - timedelta(days=1), 60, 500.0, None) for who in "AB"]
    tuesday = News("C", "swim", NOON, 60, 500.0, "cold")
    text, html = parts(
        received(FriendActivity.about("Ada", [tuesday, *monday], more=0), person("Ada"))
    )
    assert (1, 1) == (text.count("Monday, 23 November"), html.count("Monday, 23 November"))
    assert text.index("A ran") < text.index("B ran") < text.index("24 November")
    text, html = parts(received(FriendActivity.about("Ada", [tuesday], more=0), person("Ada")))
    assert (1, 3) == (text.count("swam"), html.count("swam"))  # with its title and preheader


def test_long_news_are_counted_and_long_notes_are_cut() -> None:
    many = [News(f"Friend {n}", "other", NOON, 60, 5.0, "word " * 400) for n in range(12)]
    email = FriendActivity.about("Ada", many, more=28)
    assert isinstance(email, FriendActivity)
    assert (12, 28) == (len(email.entries), email.more)
    assert email.headline == "Friend 0, Friend 1 and other friends were active"
    assert all(len(entry.notes) <= 160 for entry in email.entries)
    assert "And 28 more." in parts(received(email, person("Ada")))[0]


@pytest.mark.parametrize("email", SAMPLES)
def test_a_letter_needs_no_images_and_no_styles(email: str) -> None:
    text, html = parts(received(SAMPLES[email], person("Ada")))
    bare = re.sub(r'<style>.*?</style>|style="[^"]*"|class="[^"]*"', "", html, flags=re.DOTALL)
    assert "<img" not in html
    assert "url(" not in html
    links = re.findall(r'href="([^"]+)"', bare)
    assert all(link in text for link in links)
    assert 'role="presentation"' in bare
    assert len(html.encode()) < 60_000
    assert max(len(line) for line in text.splitlines() if "http" not in line) <= 76


def test_the_chart_of_the_week_is_a_table_whose_cells_are_the_bars() -> None:
    text, html = parts(received(SAMPLES["weekly_summary"], person("Ada")))
    bare = re.sub(r'<style>.*?</style>|style="[^"]*"', "", html, flags=re.DOTALL)
    bars = re.findall(r'<td class="fill" bgcolor="#0b5d47" width="(\d+)%"', bare)
    assert bars == ["27", "55", "20", "100", "42"]
    assert re.findall(r"(?m)^(Mon|Fri) +█+ (.*)$", text) == [
        ("Mon", "45 min, 8.1 km"),
        ("Fri", "2 h 44 min, 61.4 km"),
    ]


def test_a_button_can_be_read_without_styles() -> None:
    """On the green of its cell, which no style gives, the blue of a link cannot."""
    _, html = parts(received(SAMPLES["welcome"], person("Ada")))
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
def test_what_was_exported_is_said_in_english(filters: Filters, what: str) -> None:
    for name, said in (
        ("export_ready", f"It is a PDF of {what}: 184 activities, 482 kB."),
        ("export_failed", f"You requested a PDF of {what}."),
    ):
        email = msgspec.structs.replace(SAMPLES[name], what=described(filters))
        text, html = parts(received(email, person("Ada")))
        assert said in " ".join(text.split())
        assert said in " ".join(Text(html).text.split())


def test_the_longest_news_are_no_letter_that_gmail_cuts() -> None:
    """It cuts what is longer than 102 kB of HTML."""
    name, notes = "𓀀" * 100, "𓀀" * 5000
    news = [News(name, "run", NOON, 3000, 8200.0, notes)] * 12
    message = compose(
        email_config(), person(name), FriendActivity.about(name, news, more=99), "once", NOON
    )
    body = message.get_body(("html",))
    assert body is not None
    assert len(body.as_bytes()) < 100_000


@pytest.mark.parametrize("email", SAMPLES)
def test_only_subscribed_letters_say_how_to_get_no_more(email: str) -> None:
    url = "https://activelog.example/a-path-that-makes-the-address-quite-long"
    config = replace(email_config(), app_url=url)
    source = compose(config, person("Ada"), SAMPLES[email], "once", NOON).as_bytes()
    head = source.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    said = [line for line in head if line.startswith("List-Unsubscribe")]
    if email not in SUBSCRIBED:
        assert said == []
        return
    assert said[1] == "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    found = re.fullmatch(rf"List-Unsubscribe: <({re.escape(url)}/unsubscribe/(\S+))>", said[0])
    assert found is not None
    subscription = SAMPLES[email].subscription
    assert read_unsubscribe_token(config.secret, found[2]) == (person("Ada").id, subscription)
    for part in parts(received(SAMPLES[email], person("Ada"), config)):
        assert found[1] in part


def test_a_token_to_unsubscribe_cannot_be_made_up() -> None:
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
    assert [read_unsubscribe_token("secret", one) for one in wrong] == [None] * len(wrong)
    assert set(SUBSCRIPTIONS) >= {SAMPLES[email].subscription for email in SUBSCRIBED}


@pytest.fixture(scope="module")
def key() -> tuple[Dkim, bytes]:
    """A key as `openssl genrsa` makes it, and what DNS says of it."""
    pair = rsa.generate_private_key(65537, 2048)
    pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Dkim("mail", pem), b"v=DKIM1; k=rsa; p=" + b64encode(public)


@pytest.mark.parametrize("email", SAMPLES)
def test_a_signature_covers_the_letter_and_what_mailbox_providers_ask_for(
    email: str, key: tuple[Dkim, bytes]
) -> None:
    config = replace(email_config(), dkim=key[0])
    sent = config.serialize(compose(config, person("Zoë"), SAMPLES[email], "once", NOON))

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
    assert "a secret of the tests" not in repr(config)


def test_no_letter_is_sent_more_often_than_it_says() -> None:
    limits = {name: email.at_most for name, email in SAMPLES.items() if email.at_most}
    day = timedelta(days=1)
    assert limits == {"friend_request": (10, day), "confirmation": (6, day)}
