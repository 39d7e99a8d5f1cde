"""HTTP connections with the limits that uvicorn lacks: on waiting for a client, and on framing."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from app import metrics

MAX_HEADER_BYTES = 16 * 1024
"""The most that a request line and its headers may have; nginx accepts 32 kB by default."""


class ConnectionLimits(NamedTuple):
    """How long, and how often, a process waits for its clients."""

    request_s: float = 10.0
    """The longest wait for a request's headers, from the connection or the previous response. After
    5 s without a byte, uvicorn closes a connection that has had a response."""
    stall_s: float = 30.0
    """How long a client may take nothing of a response that is waiting to be sent."""
    max_waiting: int = 500
    """The most connections whose requests are incomplete. Beyond it, the oldest one is closed, so
    that clients that send nothing cannot use up the process's file descriptors (often 1,024)."""


CONNECTION_LIMITS = ConnectionLimits()


class Connections:
    """The connections of a server. uvicorn calls it, as it would call a class of protocols."""

    def __init__(self, limits: ConnectionLimits = CONNECTION_LIMITS) -> None:
        self.limits = limits
        self.waiting: dict[_Connection, None] = {}
        """Those whose requests are incomplete, oldest first."""

    def __call__(self, **parameters: Any) -> _Connection:
        return _Connection(self, **parameters)

    def wait_for(self, connection: _Connection) -> None:
        self.waiting.setdefault(connection)
        if len(self.waiting) > self.limits.max_waiting:
            oldest = next(iter(self.waiting))
            del self.waiting[oldest]
            oldest.close("crowded")


class _Connection(H11Protocol):
    """A timer runs whenever the client has to act: to send a request, or to read a response.

    While the application works on a request, the application itself limits how long it waits for
    the body (app/api/bodies.py).
    """

    def __init__(self, connections: Connections, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.conn = _StrictFraming(h11.SERVER, MAX_HEADER_BYTES)
        self._connections = connections
        self._limits = connections.limits
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._start_timer(self._limits.request_s)
        self._connections.wait_for(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_answering and not self.flow.write_paused:
            self._stop_timer()
        self._note_whether_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_answering:  # else it has sent the next request already
            unsent = self.transport.get_write_buffer_size()
            self._start_timer(self._limits.stall_s if unsent else self._limits.request_s)
        self._note_whether_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_timer(self._limits.stall_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._is_answering and not self.transport.is_closing():
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._connections.waiting.pop(self, None)
        super().connection_lost(exc)

    def close(self, reason: str) -> None:
        """Close the connection once the part of a response that is waiting has been sent."""
        self._start_timer(self._limits.stall_s)
        metrics.connections_closed.labels(reason).inc()
        self.transport.close()

    def _note_whether_complete(self) -> None:
        if self.transport.is_closing() or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._connections.waiting.pop(self, None)
        else:
            self._connections.wait_for(self)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        unsent = self.transport.get_write_buffer_size()
        self._timer = self.loop.call_later(seconds, self._time_out, unsent)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self, unsent_before: int) -> None:
        """Drop the connection, unless its client has read some of the response meanwhile."""
        unsent = self.transport.get_write_buffer_size()
        if 0 < unsent < unsent_before:
            self._start_timer(self._limits.stall_s)
        else:
            metrics.connections_closed.labels("stalled" if unsent else "silent").inc()
            self.transport.abort()


class _StrictFraming(h11.Connection):
    def next_event(self) -> Any:
        """Refuse a request with Content-Length and Transfer-Encoding, which smuggles another one
        past a proxy that believes the Content-Length (RFC 9112, section 6.1).

        Raises:
            h11.RemoteProtocolError: it has both. uvicorn answers 400 and closes the connection.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("Content-Length and Transfer-Encoding")
        return event
