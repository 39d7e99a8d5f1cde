"""A document for tests of the PDF subprocesses. It does what its header says."""

from __future__ import annotations

import os
import time
from typing import Literal

from msgspec import Struct, msgpack

from app.pdf.canvas import RenderedDocument

MODULE = __name__


class Header(Struct, frozen=True):
    what: Literal["echo", "environment", "raise", "hang", "use memory", "die"] = "echo"


class TestDocument:
    __test__ = False

    def __init__(self, header: Header) -> None:
        self._what = header.what
        self._rows: list[bytes] = []

    def add_rows(self, batch: bytes) -> None:
        self._rows.append(batch)
        if self._what == "raise":
            raise ValueError("these rows cannot be drawn")

    def finish(self) -> RenderedDocument:
        if self._what == "hang":
            time.sleep(600)
        if self._what == "use memory":
            self._rows = [b"x" * 1_000_000 for _ in range(1_000_000)]
        if self._what == "die":
            os.abort()
        if self._what == "environment":
            return RenderedDocument(msgpack.encode(sorted(os.environ)), os.getpid())
        rows = [row for batch in self._rows for row in msgpack.decode(batch)]
        return RenderedDocument(msgpack.encode(rows), os.getpid())


def document(header: bytes) -> TestDocument:
    return TestDocument(msgpack.decode(header, type=Header))
