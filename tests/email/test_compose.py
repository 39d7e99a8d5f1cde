"""Composing emails: awkward names, headers and broken templates."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from shutil import copytree
from uuid import UUID

import msgspec
import pytest

from app.email import Email, Recipient, check_emails, one_line
from app.email.compose import MAX_NAME_CHARACTERS, MAX_SUBJECT_CHARACTERS, compose
from app.email.email import COMMON_VARIABLES, EMAILS
from app.jinja import FOLDER, BrokenTemplate, Templates
from app.users.emails import Welcome
from tests.email.reading import (
    AWKWARD,
    NOON,
    HtmlText,
    compose_and_parse,
    email_config,
    header_text,
    recipient,
    to_name,
)

LINK = "https://activelog.example/confirm/0123456789abcdef"


class Invitation(Email, frozen=True):
    """A test email with the name in its subject."""

    template = "invitation"
    registered = False

    name: str


def welcome(name: str) -> Welcome:
    return Welcome(name=one_line(name), confirm_url=LINK, days=7)


@pytest.mark.parametrize("name", AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_name_appears_in_both_parts_without_injection(name: str) -> None:
    message = compose_and_parse(welcome(name), recipient(name))

    expected = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
    assert [*expected, "MIME-Version", "Content-Type"] == message.keys()
    (to,) = message["To"].addresses
    assert to.addr_spec == "ada@example.com"
    to = to_name(message)
    assert len(to) <= MAX_NAME_CHARACTERS
    assert header_text(name).startswith(to.removesuffix("…"))

    text, html = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert [text.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert f"Welcome, {one_line(name)}." in text.get_content()
    assert LINK in text.get_content()
    visible = HtmlText(html.get_content())
    assert f"Welcome, {one_line(name)}." in visible.text
    assert LINK in html.get_content()
    assert "script" not in visible.tags


@pytest.mark.parametrize("name", AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_name_in_the_subject_stays_in_one_short_header(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "email" / "invitation"
    folder.mkdir(parents=True)
    for part in ("subject.txt", "body.txt", "body.html"):
        (folder / part).write_text("{{ name }} invites you\n")
    message = compose_and_parse(Invitation(name=name), recipient("Ada"), email_config(tmp_path))
    subject = str(message["Subject"])
    assert len(subject) <= MAX_SUBJECT_CHARACTERS
    assert header_text(f"{name} invites you").startswith(subject.removesuffix("…"))
    assert "Bcc" not in message


def test_long_name_is_cut_between_words_and_not_inside_an_emoji() -> None:
    words = to_name(compose_and_parse(welcome("x"), recipient("Wolfe Schlegel " * 9)))
    astronauts = to_name(compose_and_parse(welcome("x"), recipient("👩‍🚀" * 30)))
    assert words == "Wolfe Schlegel Wolfe Schlegel Wolfe Schlegel Wolfe Schlegel…"
    assert astronauts == "👩‍🚀" * 21 + "…"


def test_message_id_is_the_same_for_copies_and_differs_for_another_unique_key() -> None:
    first, second = (compose_and_parse(welcome("Ada"), recipient("Ada")) for _ in range(2))
    other = compose(email_config(), recipient("Ada"), welcome("Ada"), "another unique_key", NOON)
    assert first["Message-ID"] == second["Message-ID"]
    assert re.fullmatch(r"<[0-9a-f]{32}@activelog\.example>", first["Message-ID"])
    assert other["Message-ID"] != first["Message-ID"]
    assert first["Date"].datetime == NOON


def test_reply_to_is_set_from_the_config() -> None:
    config = email_config(reply_to="Help <help@activelog.example>")
    message = compose_and_parse(welcome("Ada"), recipient("Ada"), config)
    assert message["Reply-To"] == "Help <help@activelog.example>"
    assert message["Auto-Submitted"] == "auto-generated"


def test_recipient_domain_is_encoded_in_ascii() -> None:
    (to,) = compose_and_parse(welcome("Ada"), Recipient(UUID(int=1), "Ada", "ada@bücher.example"))[
        "To"
    ].addresses
    assert to.addr_spec == "ada@xn--bcher-kva.example"


def test_sender_domain_is_encoded_in_ascii() -> None:
    config = replace(email_config(), from_address="Ä <hello@bücher.example>")
    (sender,) = compose_and_parse(welcome("Ada"), recipient("Ada"), config)["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Ä", "hello@xn--bcher-kva.example")
    assert config.envelope_sender == "hello@xn--bcher-kva.example"


def test_html_has_inline_styles_and_keeps_its_media_queries() -> None:
    html = compose_and_parse(welcome("Ada"), recipient("Ada")).get_body(("html",))
    assert html is not None
    source = html.get_content()
    assert "@media (prefers-color-scheme: dark)" in source
    assert '<meta name="color-scheme" content="light dark">' in source
    assert "max-width: 600px" in source
    assert "<!--[if mso]>" in source
    assert "<img" not in source
    assert 'class="button-link" href="' in source
    assert "background-color: #0b5d47" in source.partition("</head>")[2]


def test_every_template_can_be_parsed() -> None:
    templates = Templates()
    assert "pages/front.html" in templates.names()
    for name in templates.names():
        templates.variables(name)


def test_every_email_has_valid_templates() -> None:
    check_emails(Templates())
    assert "welcome" in EMAILS


@pytest.mark.parametrize(
    ("part", "content", "problem"),
    [
        ("body.html", "{% if name %}", "email/welcome/body.html: line 1"),
        ("body.txt", "Hello {{ nickname }}", "email/welcome/body.txt: uses nickname"),
        ("body.txt", "{{ name | shout }}", "email/welcome/body.txt: line 1: No filter"),
        ("body.txt", "{{ name.first }}", "email/welcome/body.txt: 'str object' has no attribute"),
        ("body.html", "{{ days + name }}", "email/welcome/body.html: TypeError: "),
        ("body.txt", b"Bonjour \xe9", "email/welcome/body.txt: UnicodeDecodeError: "),
        ("body.html", "{% extends 'email/gone.html' %}", "email/gone.html: is missing"),
        ("subject.txt", None, "email/welcome/subject.txt: is missing"),
    ],
)
def test_check_emails_reports_the_broken_template(
    part: str, content: str | bytes | None, problem: str, tmp_path: Path
) -> None:
    copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    changed = tmp_path / "email" / "welcome" / part
    if content is None:
        changed.unlink()
    else:
        changed.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BrokenTemplate, match=re.escape(f"templates/{problem}")):
        check_emails(Templates(tmp_path))


def test_changed_template_is_used_for_the_next_email(tmp_path: Path) -> None:
    copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    config = email_config(tmp_path)
    before = compose_and_parse(welcome("Ada"), recipient("Ada"), config)
    (tmp_path / "email" / "welcome" / "subject.txt").write_text("Another subject")
    after = compose_and_parse(welcome("Ada"), recipient("Ada"), config)
    assert before["Subject"] != "Another subject"
    assert after["Subject"] == "Another subject"


@pytest.mark.parametrize("broken", ["{% if %}", "{{ nickname }}", None])
@pytest.mark.parametrize("file", ["email/welcome/body.html", "email/layout.html"])
def test_original_template_is_used_until_a_broken_change_is_fixed(
    file: str, broken: str | None, tmp_path: Path
) -> None:
    copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    templates, changed = Templates(tmp_path, keep=True), tmp_path / file
    variables = {
        **dict.fromkeys(COMMON_VARIABLES, "common"),
        **msgspec.structs.asdict(welcome("Ada")),
    }
    before = templates.render("email/welcome/body.html", variables)

    fixed = changed.read_text().replace("<table", '<table id="fixed"')
    changed.unlink() if broken is None else changed.write_text(broken)
    assert before == templates.render("email/welcome/body.html", variables)

    changed.write_text(fixed)
    # Both changes may fall within one tick of the file system's clock.
    later = changed.stat().st_mtime + 1
    os.utime(changed, (later, later))
    assert 'id="fixed"' in templates.render("email/welcome/body.html", variables)


def test_undefined_variable_in_a_template_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("Hello {{ name }}")
    with pytest.raises(BrokenTemplate, match="'name' is undefined"):
        Templates(tmp_path).render("hello.txt", {})
