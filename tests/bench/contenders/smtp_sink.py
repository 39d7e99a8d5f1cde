"""An SMTP server that discards every email: `python -m ... smtp_sink CERTIFICATE`.

It prints its port once it listens, and on SIGTERM how many connections and emails it received. It
is as fast as possible, so that the clients are measured and not the server.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from dataclasses import dataclass
from typing import cast

import uvloop

ANSWERS = {
    b"EHLO": b"250-sink\r\n250 STARTTLS\r\n",
    b"STAR": b"220 go ahead\r\n",
    b"MAIL": b"250 fine\r\n",
    b"RCPT": b"250 fine\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"QUIT": b"221 bye\r\n",
}
END = b"\r\n.\r\n"


@dataclass
class Counts:
    connections: int = 0
    emails: int = 0


class Session(asyncio.Protocol):
    def __init__(self, counts: Counts, tls: ssl.SSLContext) -> None:
        self._counts = counts
        self._tls = tls
        self._buffer = bytearray()
        self._in_email = False
        self._encrypting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._encrypting is None:
            self._counts.connections += 1
            self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(END if self._in_email else b"\r\n")) >= 0:
            if self._in_email:
                del self._buffer[: end + len(END)]
                self._in_email = False
                self._counts.emails += 1
                self._transport.write(b"250 taken\r\n")
                continue
            verb = bytes(self._buffer[:4]).upper()
            del self._buffer[: end + 2]
            self._in_email = verb == b"DATA"
            if verb == b"STAR":
                self._transport.pause_reading()  # the next bytes are TLS
            self._transport.write(ANSWERS[verb])
            if verb == b"STAR":
                self._encrypting = asyncio.ensure_future(self._encrypt())
            elif verb == b"QUIT":
                self._transport.close()

    async def _encrypt(self) -> None:
        loop = asyncio.get_running_loop()
        encrypted = await loop.start_tls(self._transport, self, self._tls, server_side=True)
        assert encrypted is not None
        self._transport = encrypted


async def main(certificate: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    counts, over, loop = Counts(), asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(lambda: Session(counts, tls), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    print(counts.connections, counts.emails, flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
