"""The mail settings: rates, addresses and keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.settings import Dkim, Rate, Settings
from app.settings.environment import SettingsError

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", []),
        ("10/s", [Rate(10, SECOND)]),
        ("10/s, 500/h,10000/d", [
            Rate(10, SECOND), Rate(500, 3600 * SECOND), Rate(10_000, 86400 * SECOND)]),
    ],
)  # fmt: skip
def test_mail_rate_is_read(text: str, rates: list[Rate], environ: dict[str, str]) -> None:
    assert rates == Settings.from_env({**environ, "MAIL_RATE": text}).mail.rates


@pytest.mark.parametrize(
    "text", ["10", "10/", "0/s", "-1/s", "10/w", "10/s,20/s", "1e3/s", "1/s/h"]
)
def test_error_names_mail_rate_if_it_is_invalid(text: str, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^MAIL_RATE must be"):
        Settings.from_env({**environ, "MAIL_RATE": text})


@pytest.mark.parametrize("name", ["MAIL_FROM", "MAIL_REPLY_TO"])
@pytest.mark.parametrize(
    "text",
    [
        "nonsense", "hello@", "@activelog.example", "ActiveLog hello@activelog.example",
        "Active, Log <hello@activelog.example>", "hellö@activelog.example",
        "hello@activelog..example", "ActiveLog\r\nBcc: <hello@activelog.example>",
    ],
)  # fmt: skip
def test_error_names_the_setting_with_an_invalid_address(
    name: str, text: str, environ: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} must be an address"):
        Settings.from_env({**environ, name: text})


@pytest.mark.parametrize(
    "text", ["hello@localhost", '"Log, Active" <hello@activelog.example>', "Ä <a.b@bücher.example>"]
)
def test_address_is_accepted_with_or_without_a_display_name(
    text: str, environ: dict[str, str]
) -> None:
    mail = Settings.from_env({**environ, "MAIL_FROM": text, "MAIL_REPLY_TO": text}).mail
    assert (text, text) == (mail.from_address, mail.reply_to)


@pytest.mark.parametrize("key_format", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_dkim_key_is_read_with_its_selector(
    key_format: PrivateFormat, tmp_path: Path, environ: dict[str, str]
) -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, key_format, NoEncryption()
    )
    file = tmp_path / "key.pem"
    file.write_bytes(pem.replace(b"\n", b"\r\n"))
    variables = {**environ, "DKIM_KEY_FILE": str(file), "DKIM_SELECTOR": "mail-2026"}
    assert Dkim("mail-2026", pem) == Settings.from_env(variables).mail.dkim
    assert Settings.from_env(environ).mail.dkim is None


def test_error_names_the_missing_or_invalid_dkim_setting(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    file, wrong = tmp_path / "key.pem", tmp_path / "ed25519.pem"
    file.write_text("no key")
    wrong.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for variables, problem in (
        ({"DKIM_KEY_FILE": str(file)}, "DKIM_SELECTOR is not set"),
        ({"DKIM_SELECTOR": "mail"}, "DKIM_KEY_FILE is not set"),
        ({"DKIM_KEY_FILE": str(file), "DKIM_SELECTOR": "mail"}, "DKIM_KEY_FILE contains no RSA"),
        ({"DKIM_KEY_FILE": str(wrong), "DKIM_SELECTOR": "mail"}, "DKIM_KEY_FILE contains no RSA"),
        ({"DKIM_KEY_FILE": "/gone.pem", "DKIM_SELECTOR": "mail"}, "DKIM_KEY_FILE cannot be read"),
        (
            {"DKIM_KEY_FILE": str(file), "DKIM_SELECTOR": "a b"},
            "DKIM_SELECTOR is not a valid DNS name",
        ),
    ):
        with pytest.raises(SettingsError, match=problem):
            Settings.from_env({**environ, **variables})
