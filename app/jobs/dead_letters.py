"""What makes two dead letters the same trouble."""

from __future__ import annotations

import hashlib
import re

_IDS_AND_NUMBERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{16,}\b|\d+",
    re.IGNORECASE,
)


def fingerprint(kind: str, error: str) -> str:
    """16 hexadecimal digits for a kind, its exception and its message without ids and numbers."""
    text = f"{kind}: {_IDS_AND_NUMBERS.sub('#', error)}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
