"""A PDF subprocess: `python -m app.pdf.subprocess MEMORY PARENT`, started only by the pool.

It renders one document after another, as requested on standard input. It does not get the worker's
environment, and so has no credentials for the servers. It exits when its input ends, when its
parent process dies, and when it cannot render a document. It ignores the signals that stop a
worker: a job may still need its document while the worker shuts down.
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
from app.pdf.canvas import Document, RenderedDocument
from app.pdf.protocol import LENGTH, RenderRequest, RenderResult, frame

PARENT_CHECK_INTERVAL_S = 0.5
GC_AFTER_PAGES = 50
"""After a document with more pages than this, the garbage collector runs at once."""


def main() -> None:
    """Render documents until the input ends or one cannot be rendered."""
    memory_bytes, parent = int(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))  # Linux only
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    logging.disable(logging.WARNING)  # fpdf2 warns of missing glyphs, which `drawable` has replaced
    requests, results = sys.stdin.buffer, sys.stdout.buffer
    while (content := _read(requests)) is not None:
        result, pdf = _render(msgpack.decode(content, type=RenderRequest), requests)
        results.write(frame(msgpack.encode(result)))
        results.write(pdf)
        results.flush()
        if result.outcome != "rendered":
            sys.exit(1)
        del pdf
        if result.pages > GC_AFTER_PAGES:
            # Pages form reference cycles. Collecting them visits all fonts too, and so is slow.
            gc.collect()


def _render(request: RenderRequest, rows: BinaryIO) -> tuple[RenderResult, bytes | bytearray]:
    """Render a document, and turn an exception into a result."""
    try:
        document = _render_document(request, rows)
    except MemoryError:
        return RenderResult("out of memory"), b""
    except Exception:  # noqa: BLE001 # the pool reports it, whatever it is
        return RenderResult("failed", error=traceback.format_exc()), b""
    result = RenderResult("rendered", size=len(document.content), pages=document.pages)
    return result, document.content


def _render_document(request: RenderRequest, rows: BinaryIO) -> RenderedDocument:
    module = importlib.import_module(request.module)
    document = cast("Document", module.document(bytes(request.header)))
    # Not earlier, so that the modules and the usual fonts load at normal priority.
    process_priority.lower_own_priority(process_priority.PDF_NICENESS)
    while batch := _read(rows):
        document.add_rows(batch)
    return document.finish()


def _read(stream: BinaryIO) -> bytes | None:
    """Read the next frame; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    return stream.read(length)


def _exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_INTERVAL_S)
    os._exit(1)


if __name__ == "__main__":
    main()
