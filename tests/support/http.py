"""HTTP over real sockets."""

from __future__ import annotations

import httpx

from tests.support.working import WAIT_LIMIT_S


def anonymous_client() -> httpx.AsyncClient:
    """A client without a token, which waits for an answer as long as a test waits for anything."""
    return httpx.AsyncClient(timeout=WAIT_LIMIT_S)
