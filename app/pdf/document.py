"""What a module that draws a document offers to the drawing process."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Drawn(NamedTuple):
    """A document that is ready."""

    content: bytes | bytearray
    pages: int


class Document(Protocol):
    """A document in the making. The module holds `document(cover: bytes) -> Document`.

    What it is given is MessagePack of what the pool was given: the module knows the types.
    """

    def rows(self, batch: bytes) -> None:
        """Draw the next rows. None may come."""
        ...

    def finish(self) -> Drawn: ...
