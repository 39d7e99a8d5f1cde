"""What the pool and a drawing process say to each other: frames, each behind its length.

To the process: an `Order`, any number of frames of rows, and an empty frame. From it: one `Answer`,
and behind it the document's bytes. Then the next order may come.
"""

from __future__ import annotations

import struct
from typing import Literal

from msgspec import Raw, Struct, msgpack

LENGTH = struct.Struct("!I")
END = LENGTH.pack(0)


class Order(Struct, frozen=True, array_like=True):
    """Draw a document of this module."""

    module: str
    cover: Raw


class Answer(Struct, frozen=True, array_like=True):
    """What became of it."""

    outcome: Literal["drawn", "failed", "out of memory"]
    size: int = 0
    pages: int = 0
    error: str = ""


def frame(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def order(module: str, cover: Struct) -> bytes:
    return frame(msgpack.encode(Order(module, Raw(msgpack.encode(cover)))))
