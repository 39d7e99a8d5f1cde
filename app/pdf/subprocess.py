"""A drawing process: `python -m app.pdf.subprocess MEMORY PARENT`, which only the pool starts.

It draws one document after the other, as standard input orders them, and knows neither the
environment nor the servers. It ends when its input does, with the process that started it, and when
a document fails. Signals that end a worker are not for it: what it draws may still be wanted by a
job that drains.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import resource
import signal
import sys
import threading
import time
import traceback
from typing import BinaryIO, cast

from msgspec import msgpack

from app import process_priority
from app.pdf.canvas import Document, Drawn
from app.pdf.protocol import LENGTH, Answer, Order, frame

LOOKS_FOR_PARENT = 0.5
"""Seconds between looks at whether the process that started this one still lives."""
LONG = 50
"""Pages of a document whose memory is not left to the next collection."""


def main() -> None:
    memory, parent = int(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))  # has an effect on Linux only
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    logging.disable(logging.WARNING)  # of what a font lacks: it is drawn as U+FFFD
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    while (content := _read(orders)) is not None:
        answer, pdf = _draw(msgpack.decode(content, type=Order), orders)
        answers.write(frame(msgpack.encode(answer)))
        answers.write(pdf)
        answers.flush()
        if answer.outcome != "drawn":
            sys.exit(1)
        del pdf
        if answer.pages > LONG:
            gc.collect()  # pages hold each other; it looks at all fonts, too


def _draw(order: Order, rows: BinaryIO) -> tuple[Answer, bytes | bytearray]:
    try:
        drawn = _drawn(order, rows)
    except MemoryError:
        return Answer("out of memory"), b""
    except Exception:  # noqa: BLE001 # whatever it is, the pool is told
        return Answer("failed", error=traceback.format_exc()), b""
    return Answer("drawn", size=len(drawn.content), pages=drawn.pages), drawn.content


def _drawn(order: Order, rows: BinaryIO) -> Drawn:
    document = cast("Document", importlib.import_module(order.module).document(bytes(order.header)))
    process_priority.lower_own_priority(
        process_priority.PDF_NICENESS
    )  # not while it only gets ready: that ends at its own pace
    while batch := _read(rows):
        document.rows(batch)
    return document.finish()


def _read(stream: BinaryIO) -> bytes | None:
    """The next frame; None where the stream ends."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    return stream.read(length)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOKS_FOR_PARENT)
    os._exit(1)


if __name__ == "__main__":
    main()
