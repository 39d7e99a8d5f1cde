"""What the API listens on, and what the world calls it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.environment import SettingsError, Variables
from app.settings.rate import Rate, rate_of


@dataclass(frozen=True, slots=True)
class Http:
    host: str
    port: int
    app_url: str
    session: timedelta
    trusted_proxies: int
    """Proxies of ours that every request passes; what they say of its origin is believed."""
    request_rate: Rate
    """Of one person."""

    @classmethod
    def from_env(cls, env: Variables) -> Http:
        return cls(
            host=env.text("HOST", "127.0.0.1"),
            port=env.number("PORT", 8000, 1, 65535),
            app_url=env.url("APP_URL", {"http", "https"}, "http://127.0.0.1:8000").rstrip("/"),
            session=timedelta(days=env.number("SESSION_DAYS", 30, 1, 366)),
            trusted_proxies=env.number("TRUSTED_PROXIES", 0, 0, 10),
            request_rate=_request_rate(env),
        )


def _request_rate(env: Variables) -> Rate:
    rate = rate_of(env.text(name := "REQUEST_RATE", "6000/m"))
    if rate is None:
        raise SettingsError(name, "takes a limit such as 100/s or 6000/m")
    return rate
