"""Other users of this machine, for tests that run as root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ANOTHER, A_THIRD = 64_001, 64_002
"""Ids that nobody has."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """What this process may do to files is what that user may."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
