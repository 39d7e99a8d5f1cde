"""What handlers can have injected, and which client sent a request."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide

from app.postgres.database import Database
from app.postgres.snapshot import Snapshots
from app.rate_limits import RateLimiter
from app.resources import Resources
from app.s3 import Bucket
from app.users.passwords import Passwords
from app.users.user import Me


def resources_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Resources:
    return cast("Resources", connection.app.state.resources)


def _database(request: Request[Any, Any, Any]) -> Database:
    return resources_of(request).database


def _bucket(request: Request[Any, Any, Any]) -> Bucket:
    return resources_of(request).bucket


def _snapshots(request: Request[Any, Any, Any]) -> Snapshots:
    return resources_of(request).snapshots


def _rates(request: Request[Any, Any, Any]) -> RateLimiter:
    return resources_of(request).limiter


def _passwords(request: Request[Any, Any, Any]) -> Passwords:
    return cast("Passwords", request.app.state.passwords)


def _now(request: Request[Any, Any, Any]) -> datetime:
    """The time by the application's clock, in UTC."""
    return cast("datetime", request.app.state.clock())


def _me(request: Request[Me, Any, Any]) -> Me:
    return request.user


DEPENDENCIES = {
    "database": Provide(_database, sync_to_thread=False),
    "bucket": Provide(_bucket, sync_to_thread=False),
    "snapshots": Provide(_snapshots, sync_to_thread=False),
    "rates": Provide(_rates, sync_to_thread=False),
    "passwords": Provide(_passwords, sync_to_thread=False),
    "now": Provide(_now, sync_to_thread=False),
    "me": Provide(_me, sync_to_thread=False),
}


NETWORK = 64
"""Bits of an IPv6 address that name a network: whoever has one has all addresses in it."""


def client_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """The address that limits are counted for; None: this machine itself, or unknown."""
    peer = connection.client.host if connection.client else ""
    forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
    return counted_address(peer, forwarded, resources_of(connection).settings.http.trusted_proxies)


def counted_address(peer: str, forwarded: str, proxies: int) -> str | None:
    """
    Args:
        peer: who opened the connection.
        forwarded: `X-Forwarded-For`, to which each proxy appends who came to it. What stands left
            of our own proxies' entries is anybody's claim.
        proxies: how many of ours a request passes.
    """
    entries = [entry.strip() for entry in forwarded.split(",")]
    named = entries[-proxies] if 0 < proxies <= len(entries) else peer
    address = _address(named) or _address(peer)
    if address is None or address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> NETWORK << NETWORK))
    return str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
