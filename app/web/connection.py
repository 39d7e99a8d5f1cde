"""Dependencies that can be injected into handlers, and the client's address."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import Provide

from app.activities.pictures import Pictures
from app.postgres.database import Database
from app.postgres.snapshot import Snapshots
from app.rate_limits import RateLimiter
from app.resources import Resources
from app.s3 import Bucket
from app.settings import Settings
from app.users.login_limits import SignInAttempt, new_device_token, valid_device
from app.users.passwords import Passwords
from app.users.user import Me, normalize_email


def resources_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Resources:
    return cast("Resources", connection.app.state.resources)


def _database(request: Request[Any, Any, Any]) -> Database:
    return resources_of(request).database


def _bucket(request: Request[Any, Any, Any]) -> Bucket:
    return resources_of(request).bucket


def _snapshots(request: Request[Any, Any, Any]) -> Snapshots:
    return resources_of(request).snapshots


def _limiter(request: Request[Any, Any, Any]) -> RateLimiter:
    return resources_of(request).limiter


def _passwords(request: Request[Any, Any, Any]) -> Passwords:
    return cast("Passwords", request.app.state.passwords)


def _pictures(request: Request[Any, Any, Any]) -> Pictures:
    return cast("Pictures", request.app.state.pictures)


def _settings(request: Request[Any, Any, Any]) -> Settings:
    return resources_of(request).settings


def _now(request: Request[Any, Any, Any]) -> datetime:
    """Return the current UTC time from the application's clock."""
    return cast("datetime", request.app.state.clock())


def _me(request: Request[Me, Any, Any]) -> Me:
    return request.user


DEVICE_LIFETIME_S = 400 * 24 * 3600
"""The longest lifetime of a cookie that browsers accept."""


def sign_in_attempt(request: Request[Any, Any, Any], email: str, password: str) -> SignInAttempt:
    settings = resources_of(request).settings
    device = request.cookies.get(_device_cookie_name(settings))
    return SignInAttempt(
        normalize_email(email),
        password,
        client_address(request),
        valid_device(settings.secret_key, email, device),
    )


def device_cookie(settings: Settings, email: str, device: str | None = None) -> Cookie:
    """Make the cookie by which a browser in which someone has signed in is recognized.

    Args:
        device: the token that the browser has, if it is valid for this address.
    """
    return Cookie(
        _device_cookie_name(settings),
        value=device or new_device_token(settings.secret_key, email),
        path="/",
        httponly=True,
        secure=not settings.development,
        samesite="lax",
        max_age=DEVICE_LIFETIME_S,
    )


def _device_cookie_name(settings: Settings) -> str:
    return "device" if settings.development else "__Host-device"


DEPENDENCIES = {
    "database": Provide(_database, sync_to_thread=False),
    "bucket": Provide(_bucket, sync_to_thread=False),
    "snapshots": Provide(_snapshots, sync_to_thread=False),
    "settings": Provide(_settings, sync_to_thread=False),
    "pictures": Provide(_pictures, sync_to_thread=False),
    "limiter": Provide(_limiter, sync_to_thread=False),
    "passwords": Provide(_passwords, sync_to_thread=False),
    "now": Provide(_now, sync_to_thread=False),
    "me": Provide(_me, sync_to_thread=False),
}


IPV6_NETWORK_BITS = 64
"""The length of an IPv6 network prefix. A client can use any address in its network."""


def client_address(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """Return the client's address for rate limits, as `resolve_address` finds it."""
    peer = connection.client.host if connection.client else ""
    forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
    return resolve_address(peer, forwarded, resources_of(connection).settings.http.trusted_proxies)


def resolve_address(peer: str, forwarded: str, proxy_count: int) -> str | None:
    """Find the client's address, as our proxies report it.

    An IPv6 address is reduced to its network. None for loopback or an unknown address.

    Args:
        peer: the address that opened the connection.
        forwarded: `X-Forwarded-For`. Each proxy appends the address that connected to it, so any
            entries to the left of our proxies' own entries may be forged.
        proxy_count: how many of our own proxies a request passes through.
    """
    entries = [entry.strip() for entry in forwarded.split(",")]
    client = entries[-proxy_count] if 0 < proxy_count <= len(entries) else peer
    address = _parse_address(client) or _parse_address(peer)
    if address is None or address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
    return str(address)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
