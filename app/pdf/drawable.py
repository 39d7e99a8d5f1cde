"""People's text made ready to be drawn: no character of it can make a document fail."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from app.pdf.faces import JOINERS, cached_face_of, face

MISSING = "\ufffd"
"""In the place of what no face can draw."""
MOST_MARKS = 8
"""On top of one another."""


def drawable(text: str) -> str:
    """Text on one line, its characters composed, without those that only control or format, and
    with U+FFFD for what no face has."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(_drawn(unicodedata.normalize("NFC", text))).split())


def _drawn(text: str) -> Iterator[str]:
    plain, last, marks = face("text").characters, None, 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category == "Mn" or character in JOINERS else 0
        if character.isspace():
            last = None
            yield " "
        elif character in JOINERS:
            if last and character in face(last).characters and marks <= 2:
                yield character
        elif category in {"Cc", "Cf", "Cs"} or marks > MOST_MARKS:
            continue
        elif character in plain:
            last = None
            yield character
        else:
            last = cached_face_of(character, last)
            yield character if last else MISSING
