"""Free ports of the loopback address."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import psutil

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Any free ports, all different. Nothing holds them once this returns: bind them soon."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]


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
