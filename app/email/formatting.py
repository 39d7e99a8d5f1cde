"""How people's words and figures are written in emails."""

from __future__ import annotations

import unicodedata
from datetime import date

_JOINERS = "\u200c\u200d"


def one_line(text: str) -> str:
    """Text without line breaks, control characters and overrides of the writing direction."""
    return " ".join("".join(" " if _unwritable(c) else c for c in text).split())


def cut(text: str, longest: int) -> str:
    """Text of at most `longest` characters, cut between words where there is a gap to cut at.

    Never inside a character that is written as several: an accent, an emoji of a family.
    """
    if len(text) <= longest:
        return text
    end = longest - 1
    while end > 0 and (_continues(text[end]) or text[end - 1] in _JOINERS):
        end -= 1
    words = text[:end].rpartition(" ")[0]
    return (words if len(words) > longest // 2 else text[:end]).rstrip(" ,;:.") + "…"


def distance(metres: float) -> str:
    """`850 m`, `8.2 km`, `1,204 km`."""
    if metres < 995:
        return f"{metres:.0f} m"
    return f"{metres / 1000:.1f} km" if metres < 99_950 else f"{metres / 1000:,.0f} km"


def duration(seconds: int) -> str:
    """`40 s`, `45 min`, `1 h 05 min`; minutes are rounded half up."""
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod((seconds + 30) // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def day(when: date) -> str:
    """`Tuesday, 24 November`."""
    return f"{when:%A}, {when.day} {when:%B}"


def _unwritable(character: str) -> bool:
    return character not in _JOINERS and unicodedata.category(character) in {"Cc", "Cf", "Cs"}


def _continues(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in {"Mn", "Mc", "Me", "Sk"}
