"""Binding a port before anything else is started, so that a taken one is told in one line."""

from __future__ import annotations

import errno
import socket

from app.environment import SettingsError


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens; connections wait in it until a server accepts them.

    Args:
        setting: the variable that names the port.

    Raises:
        SettingsError: the port is taken, or this machine does not have the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            problem = f"names port {port}, which is taken: stop what listens there, or name another"
        else:
            problem = f"names port {port}, and {host} cannot be listened to: {error.strerror}"
        raise SettingsError(setting, problem) from None
