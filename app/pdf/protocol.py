"""What the worker and a PDF subprocess send each other: frames, each preceded by its length.

The worker sends an `Order`, any number of frames of rows, and an empty frame. The subprocess sends
one `Answer`, followed by the document's bytes. Then the next order may come.
"""

from __future__ import annotations

import struct
from typing import Literal

from msgspec import Raw, Struct, msgpack


class DrawingFailed(Exception):
    """The document raised: the same rows will make it fail again."""


class OutOfTime(DrawingFailed):
    """It took longer than a document may: too long for this machine at this hour, or stuck."""


class OutOfMemory(DrawingFailed):
    """It needed more memory than a document may."""


class DrawingKilled(DrawingFailed):
    """Its process ended without a word: worth another try."""


LENGTH = struct.Struct("!I")
END = LENGTH.pack(0)


class Order(Struct, frozen=True, array_like=True):
    """Draw a document of this module."""

    module: str
    header: Raw


class Answer(Struct, frozen=True, array_like=True):
    """What became of it."""

    outcome: Literal["drawn", "failed", "out of memory"]
    size: int = 0
    pages: int = 0
    error: str = ""


def frame(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def order(module: str, header: Struct) -> bytes:
    return frame(msgpack.encode(Order(module, Raw(msgpack.encode(header)))))
