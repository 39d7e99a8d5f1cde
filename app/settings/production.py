"""What is refused in production, where it may be fine on a machine of one's own.

A name or an address that stays on this machine is not refused: nobody else hears it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from app.environment import THIS_MACHINE, SettingsError, Variables
from app.settings.mail import Smtp
from app.settings.stores import Bucket

SAMPLE_KEYS = {
    "activelog-secret",
    "minioadmin",
    "password",
    "secret",
    "test",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
"""Of the embedded bucket, of other stores as they come, and of Amazon's documentation."""
SAMPLE_PASSWORDS = {"activelog", "changeme", "change-me", "password", "postgres", "secret"}


def refuse_plain_app(app_url: str) -> None:
    """
    Raises:
        SettingsError: passwords and tokens would go over a network that others can read.
    """
    parts = urlsplit(app_url)
    if parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
        raise SettingsError("APP_URL", "must begin with https:// in production")


def refuse_open_database(url: str, env: Variables) -> None:
    """
    Raises:
        SettingsError: whoever reaches the server can be us.
    """
    parts = urlsplit(url)
    if parts.hostname in THIS_MACHINE:
        return
    elsewhere = env.optional("PGPASSWORD") or env.optional("PGPASSFILE")
    if not parts.password and not elsewhere and "sslcert=" not in parts.query:
        raise SettingsError(
            "DATABASE_URL", "names another machine and no password: add one, or set PGPASSFILE"
        )
    if parts.password and parts.password in {*SAMPLE_PASSWORDS, parts.username}:
        raise SettingsError("DATABASE_URL", "has an easily guessed password: choose another")


def refuse_sample_keys(bucket: Bucket) -> None:
    """
    Raises:
        SettingsError: the key is in a manual.
    """
    host = urlsplit(bucket.endpoint_url).hostname if bucket.endpoint_url else "s3.amazonaws.com"
    if bucket.secret_access_key in SAMPLE_KEYS and host not in THIS_MACHINE:
        raise SettingsError(
            "AWS_SECRET_ACCESS_KEY", "is a well-known sample key: create one of your own"
        )


def refuse_told_password(smtp: Smtp) -> None:
    """
    Raises:
        SettingsError: the password would go over the network in the clear.
    """
    if smtp.password and smtp.tls == "none" and smtp.host not in THIS_MACHINE:
        raise SettingsError(
            "SMTP_URL", "has a password, which tls=none would send unencrypted: remove tls=none"
        )
