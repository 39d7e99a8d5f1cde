"""Formatting for emails: users' text, distances, durations and dates."""

from __future__ import annotations

import unicodedata
from datetime import date

_JOINERS = "\u200c\u200d"


def one_line(text: str) -> str:
    """Return text without line breaks, control characters or bidirectional overrides."""
    return " ".join("".join(" " if _is_unprintable(c) else c for c in text).split())


def truncate(text: str, max_characters: int) -> str:
    """Return at most `max_characters` of a text, cut between words if possible.

    Characters with combining marks, skin tones or joiners, such as family emoji, are not split.
    """
    if len(text) <= max_characters:
        return text
    end = max_characters - 1
    while end > 0 and (_continues_character(text[end]) or text[end - 1] in _JOINERS):
        end -= 1
    words = text[:end].rpartition(" ")[0]
    return (words if len(words) > max_characters // 2 else text[:end]).rstrip(" ,;:.") + "…"


def distance(metres: float) -> str:
    """Format a distance: `850 m`, `8.2 km`, `1,204 km`."""
    if metres < 995:
        return f"{metres:.0f} m"
    return f"{metres / 1000:.1f} km" if metres < 99_950 else f"{metres / 1000:,.0f} km"


def duration(seconds: int) -> str:
    """Format a duration: `40 s`, `45 min`, `1 h 05 min`. Minutes are rounded half up."""
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod((seconds + 30) // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def day(when: date) -> str:
    """Format a date: `Tuesday, 24 November`."""
    return f"{when:%A}, {when.day} {when:%B}"


def _is_unprintable(character: str) -> bool:
    return character not in _JOINERS and unicodedata.category(character) in {"Cc", "Cf", "Cs"}


def _continues_character(code_point: str) -> bool:
    return code_point in _JOINERS or unicodedata.category(code_point) in {"Mn", "Mc", "Me", "Sk"}
