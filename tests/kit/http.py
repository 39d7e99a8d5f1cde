"""HTTP over real sockets."""

from __future__ import annotations

import httpx

from tests.kit.working import WAIT_LIMIT_S


def anybody() -> httpx.AsyncClient:
    """A client that is nobody in particular: without a token, and in no hurry."""
    return httpx.AsyncClient(timeout=WAIT_LIMIT_S)
