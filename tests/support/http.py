"""An HTTP client for real sockets."""

from __future__ import annotations

import httpx

from tests.support.working import WAIT_LIMIT_S


def anonymous_client() -> httpx.AsyncClient:
    """Return a client without a token, with the timeout that all tests use."""
    return httpx.AsyncClient(timeout=WAIT_LIMIT_S)
