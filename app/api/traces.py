"""The trace that a request is part of: https://www.w3.org/TR/trace-context/, header `traceparent`.

No spans are recorded here: what is kept of a caller's trace is handed on as it is, so that the log
lines of a request and of the jobs that it causes can be found beside the caller's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FIELDS = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED_AND_RANDOM = 0b11
"""The flags that are known; others are dropped, as the recommendation asks."""


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What these headers say of a trace, in the form of version 00; None: nothing that is valid."""
    given = [value for name, value in headers if name == b"traceparent"]
    if len(given) != 1 or not (match := _FIELDS.fullmatch(given[0].strip(b" \t"))):
        return None
    version, trace, parent, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not trace.strip(b"0") or not parent.strip(b"0"):
        return None
    known = int(flags, 16) & _SAMPLED_AND_RANDOM
    return f"00-{trace.decode()}-{parent.decode()}-{known:02x}"
