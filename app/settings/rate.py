"""Rates, as settings write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import NamedTuple

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Rate(NamedTuple):
    """At most so many in any period of this length."""

    most: int
    period: timedelta


def rate_of(text: str) -> Rate | None:
    """The rate that is written `10/s`, `500/h` and the like; None: it is none."""
    if not re.fullmatch(r"[1-9]\d{0,5}/[smhd]", text):
        return None
    return Rate(int(text[:-2]), timedelta(seconds=UNITS[text[-1]]))
