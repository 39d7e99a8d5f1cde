"""The URLs of servers: checking and parsing them.

A Postgres URL may name several hosts, as in libpq:
`postgresql://USER:PASSWORD@HOST[:PORT],HOST[:PORT]/DATABASE?target_session_attrs=read-write`.

A Redis URL may name Sentinels, which know the primary of a service:
`redis+sentinel://:PASSWORD@HOST[:PORT],HOST[:PORT]/SERVICE[/DATABASE]`, or `rediss+sentinel` for
TLS. If the Sentinels have a password of their own, it is the parameter `sentinel_password`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from app.settings.environment import LOCAL_HOSTS

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379


def split_url(text: str, *schemes: str, many_hosts: bool = False) -> SplitResult:
    """Split a URL that must have one of these schemes, a host or a path, and no invalid port."""
    problem = f"is not a valid URL that begins with {' or '.join(f'{s}://' for s in schemes)}"
    try:
        parts = urlsplit(text)
        hosts = parts.netloc.rpartition("@")[2]
        ports = [
            urlsplit(f"//{host}").port for host in (hosts.split(",") if many_hosts else [hosts])
        ]
    except ValueError:
        raise ValueError(problem) from None
    if parts.scheme not in schemes or 0 in ports or not (parts.netloc or parts.path):
        raise ValueError(problem)
    return parts


def parse_http_url(text: str) -> str:
    split_url(text, "http", "https")
    return text.rstrip("/")


def parse_postgres_url(text: str) -> str:
    split_url(text, "postgres", "postgresql", many_hosts=True)
    return text


class PostgresServers(NamedTuple):
    """What asyncpg reads from a URL. Parameters of the URL and PG* variables count, too."""

    hosts: frozenset[str]
    """Empty for a Unix socket."""
    username: str
    password: str
    sslmode: str
    may_find_a_standby: bool
    """Whether there are several hosts, and nothing asks for the one that accepts writes."""


def postgres_servers(url: str, environ: Mapping[str, str]) -> PostgresServers:
    """Return which servers a URL names, and how it connects to them."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    login, _, netloc = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    listed = [*netloc.split(","), *query.get("host", "").split(",")]
    if not any(listed):
        listed = environ.get("PGHOST", "").split(",")
    hosts = {host for text in listed if (host := _host(unquote(text.strip())))}
    target = query.get("target_session_attrs") or environ.get("PGTARGETSESSIONATTRS", "any")
    return PostgresServers(
        frozenset(host for host in hosts if not host.startswith(("/", "@"))),
        unquote(username) or query.get("user", ""),
        unquote(password) or query.get("password", ""),
        query.get("sslmode") or environ.get("PGSSLMODE", ""),
        len(hosts) > 1 and target not in {"read-write", "primary"},
    )


def _host(text: str) -> str:
    """Remove the port, and the brackets of an IPv6 address."""
    return text if text in LOCAL_HOSTS else re.sub(r":\d*$", "", text).strip("[]").lower()


def parse_redis_url(text: str) -> str:
    """Check the URL with the Redis client's parser, which would otherwise fail on first use."""
    parts = split_url(text, *REDIS_SCHEMES, many_hosts="+sentinel://" in text)
    if "+" in parts.scheme:
        if not re.fullmatch(r"/[^/]+(/\d{0,9})?", parts.path):
            raise ValueError("must have the name of the service after the hosts, such as /mymaster")
    elif "," in parts.netloc.rpartition("@")[2]:
        raise ValueError("has several hosts, which only redis+sentinel:// may have")
    elif parts.scheme != "unix" and not re.fullmatch(r"/?|/\d{1,9}", parts.path):
        raise ValueError("must end with a database number such as /0, or have no path")
    try:
        redis_connection_pool(text).make_connection()  # type: ignore[no-untyped-call] # untyped
    except (TypeError, ValueError):
        raise ValueError("has an unknown or invalid parameter") from None
    return text


def redis_connection_pool(url: str, **options: Any) -> ConnectionPool:
    """Make a pool, which connects on first use. Parameters of the URL override the options."""
    parts = urlsplit(url)
    scheme, _, sentinel = parts.scheme.partition("+")
    if not sentinel:
        return ConnectionPool.from_url(url, **options)
    login, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.removeprefix("/").partition("/")
    query = dict(parse_qsl(parts.query))
    sentinel_login = {
        name: query.pop(f"sentinel_{name}", None)  # not those of the servers
        for name in ("username", "password")
    }
    options |= parse_url(f"{scheme}://{login}{at}sentinel/{database}?{urlencode(query)}")
    for name in ("host", "connection_class"):
        options.pop(name, None)
    if scheme == "rediss":
        options["ssl"] = True
    shared = {k: v for k, v in options.items() if k.startswith(("ssl", "socket_"))}
    sentinels = [urlsplit(f"//{host}") for host in hosts.split(",")]
    manager = Sentinel(  # type: ignore[no-untyped-call] # untyped
        [(host.hostname or "", host.port or SENTINEL_PORT) for host in sentinels],
        sentinel_kwargs=shared | sentinel_login,
    )
    return SentinelConnectionPool(  # type: ignore[no-untyped-call] # untyped
        service, manager, **options
    )


def redis_servers(url: str) -> tuple[frozenset[str], str | None]:
    """Return the hosts of a valid URL, and the password that the client sends to the primary.

    There are no hosts if the URL names a Unix socket.
    """
    pool = redis_connection_pool(url)
    options = pool.connection_kwargs
    password = options.get("password")
    if isinstance(pool, SentinelConnectionPool):
        sentinels = pool.sentinel_manager.sentinels
        hosts = {node.connection_pool.connection_kwargs["host"] for node in sentinels}
    else:
        hosts = set() if "path" in options else {options.get("host", "localhost")}
    return frozenset(hosts), password
