"""DKIM signatures (RFC 6376), as the large mailbox providers ask for."""

from __future__ import annotations

import dkim  # type: ignore[import-untyped] # has no stubs

from app.settings import Dkim

SIGNED = (
    "from", "from",  # twice: a second From that is added on the way breaks the signature
    "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
"""What is not there is signed as absent, and cannot be added."""


def signed(message: bytes, key: Dkim, domain: str) -> bytes:
    """The message with a signature of the domain above it. Takes some milliseconds."""
    signature = dkim.sign(
        message,
        key.selector.encode(),
        domain.encode(),
        key.key,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.encode() for name in SIGNED],
    )
    return bytes(signature) + message
