"""`/.well-known/security.txt` and `/.well-known/change-password`."""

from __future__ import annotations

import httpx
import pytest

from app.pages.well_known import security_contact
from app.settings import Settings
from app.settings.environment import SettingsError
from tests.support.moments import at
from tests.support.wall_clock import WallClock


async def test_security_txt_names_a_contact_and_expires_within_a_year(
    api: httpx.AsyncClient, wall_clock: WallClock
) -> None:
    wall_clock.fixed_at = at("2026-11-27 09:30")
    response = await api.get("/.well-known/security.txt")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.splitlines() == [
        "Contact: mailto:hello@activelog.example",
        "Expires: 2027-05-26T00:00:00Z",
        "Preferred-Languages: en",
        "Canonical: https://activelog.example/.well-known/security.txt",
    ]


@pytest.mark.parametrize(
    ("environ_change", "contact"),
    [
        ({}, "mailto:hello@activelog.example"),
        ({"MAIL_REPLY_TO": "Help <help@activelog.example>"}, "mailto:help@activelog.example"),
        (
            {"MAIL_REPLY_TO": "help@activelog.example", "SECURITY_CONTACT": "https://a.example/s"},
            "https://a.example/s",
        ),
        ({"SECURITY_CONTACT": "mailto:security@a.example"}, "mailto:security@a.example"),
    ],
)
def test_security_contact_is_the_setting_or_the_address_for_replies(
    environ: dict[str, str], environ_change: dict[str, str], contact: str
) -> None:
    assert security_contact(Settings.from_env(environ | environ_change)) == contact


@pytest.mark.parametrize("value", ["security@a.example", "http://a.example", "mailto:nobody"])
def test_security_contact_that_is_no_uri_is_refused(environ: dict[str, str], value: str) -> None:
    with pytest.raises(SettingsError, match="SECURITY_CONTACT"):
        Settings.from_env(environ | {"SECURITY_CONTACT": value})


async def test_change_password_redirects_to_the_page_with_the_form(api: httpx.AsyncClient) -> None:
    response = await api.get("/.well-known/change-password")
    assert (response.status_code, response.headers["location"]) == (302, "/settings")
