"""Free ports of the loopback address."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from random import SystemRandom

import psutil

LOOPBACK = "127.0.0.1"
FREE = range(20_000, 32_768)
"""Ports that neither Linux nor macOS gives to outgoing connections by default."""


def free_ports(count: int) -> list[int]:
    """Free ports, all different. For a minute nobody else is given one of them.

    Each is left in the state TIME_WAIT: a server may still bind it, since servers set SO_REUSEADDR,
    but another search for a free port, which does not, passes it over.
    """
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = SystemRandom().choice(FREE)
            with suppress(OSError):
                one = held.enter_context(socket.socket())
                one.bind((LOOPBACK, port))
                _leave_waiting(one)
                found.append(port)
    return found


def _leave_waiting(bound: socket.socket) -> None:
    """Open a connection to the port and close it from this side, which then waits."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.listen(1)
    with socket.create_connection(bound.getsockname()) as client:
        bound.accept()[0].close()
        client.recv(1)


def usual_or_free(usual: int) -> int:
    return usual if _is_free(usual) else free_ports(1)[0]


def _is_free(port: int) -> bool:
    """Bind it as a server would, and knock: on macOS a bind may succeed beside a wildcard one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) != 0


def listens(pid: int, port: int) -> bool:
    """Whether the process, or one that it started, holds the port; also when we may not look."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        found = [one for member in family for one in member.net_connections("tcp")]
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)
