"""Who asks, as far as the network tells."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from litestar.connection import ASGIConnection

from app.web.connection import resources_of

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
