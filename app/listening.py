"""A socket bound before its server starts, so that a port in use causes a one-line error."""

from __future__ import annotations

import errno
import socket

from app.settings.environment import SettingsError


def listen(host: str, port: int, variable: str) -> socket.socket:
    """Open a listening socket. It queues connections until a server accepts them.

    Args:
        variable: the name of the port's setting, for error messages.

    Raises:
        SettingsError: the port is taken or not permitted, or the host is not an address of this
            machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                problem = "is in use: stop the process that uses it, or choose another port"
            case errno.EACCES:
                problem = "is not permitted: choose a port above 1023"
            case _:
                problem = "is not an address of this machine: use 127.0.0.1 or 0.0.0.0"
                raise SettingsError({"HOST": problem}) from None
        raise SettingsError({variable: f"is port {port}, which {problem}"}) from None
