"""What the worker and a PDF subprocess send each other: frames, each preceded by its length.

The worker sends a `RenderRequest`, any number of frames of rows, and an empty frame. The subprocess
sends one `RenderResult`, followed by the document's bytes. It is then ready for the next request,
unless rendering failed.
"""

from __future__ import annotations

import struct
from typing import Literal

from msgspec import Raw, Struct, msgpack


class RenderingFailed(Exception):
    """The document could not be rendered. Unless a subclass says otherwise, the document's code
    raised an exception, and would raise it again for the same rows."""


class RenderingTimedOut(RenderingFailed):
    """Rendering took too long: the machine is too slow or too busy, or the code hung."""


class RenderingOutOfMemory(RenderingFailed):
    """Rendering exceeded the memory limit."""


class RenderingProcessDied(RenderingFailed):
    """The process exited before its document had been read to the end. A retry may succeed."""


LENGTH = struct.Struct("!I")
END = LENGTH.pack(0)
"""The empty frame after the last rows."""


class RenderRequest(Struct, frozen=True, array_like=True):
    """A request to render the document that `module` defines."""

    module: str
    header: Raw


class RenderResult(Struct, frozen=True, array_like=True):
    """Whether the document was rendered, and the number of bytes that follow."""

    outcome: Literal["rendered", "failed", "out of memory"]
    size: int = 0
    pages: int = 0
    error: str = ""


def frame(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def encode_request(module: str, header: Struct) -> bytes:
    return frame(msgpack.encode(RenderRequest(module, Raw(msgpack.encode(header)))))
