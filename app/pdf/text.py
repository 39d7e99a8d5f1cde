"""Users' text, prepared for drawing in lines that fit. No character breaks a document."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from app.pdf.canvas import Canvas, Style
from app.pdf.fonts import JOINERS, cached_font_of, font

REPLACEMENT = "\ufffd"
"""Replaces characters that no font can draw."""
MAX_STACKED_MARKS = 8
"""The most combining marks on one character. Further marks are dropped."""


def drawable(text: str) -> str:
    """Clean text for drawing.

    The text is put on one line and composed (NFC). Control and format characters are removed. A
    character that is in no font is replaced by U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(_clean(unicodedata.normalize("NFC", text))).split())


def _clean(text: str) -> Iterator[str]:
    """Yield the characters that can be drawn, and spaces and U+FFFD in place of others."""
    plain, last_font, marks = font("text").characters, None, 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category == "Mn" or character in JOINERS else 0
        if character.isspace():
            last_font = None
            yield " "
        elif character in JOINERS:
            if last_font and character in font(last_font).characters and marks <= 2:
                yield character
        elif category in {"Cc", "Cf", "Cs"} or marks > MAX_STACKED_MARKS:
            continue
        elif character in plain:
            last_font = None
            yield character
        else:
            last_font = cached_font_of(character, last_font)
            yield character if last_font else REPLACEMENT


ELLIPSIS = "…"
MAX_CLUSTER_CHARACTERS = 20
MAX_MEASURED_CHARACTERS = 100
"""`wrap` does not measure longer text as a whole: it hardly ever fits on a line."""


def shorten(canvas: Canvas, text: str, style: Style, width: float) -> str:
    """Return the text, cut with an ellipsis if it is wider than `width`."""
    if canvas.measure(text, style) <= width:
        return text
    room = width - canvas.measure(ELLIPSIS, style)
    shortened = ""
    for cluster in _clusters(text):
        room -= canvas.measure(cluster, style)
        if room < 0:
            break
        shortened += cluster
    return shortened.rstrip() + ELLIPSIS


def wrap(canvas: Canvas, text: str, style: Style, width: float, max_lines: int) -> list[str]:
    """Break a text into lines: at most `max_lines`, and none if the text is empty.

    Words that fit on a line are not broken. If the text needs more lines, the last one ends with
    an ellipsis.
    """
    if not text:
        return []
    if len(text) <= MAX_MEASURED_CHARACTERS and canvas.measure(text, style) <= width:
        return [text]
    space = canvas.measure(" ", style)
    lines: list[str] = []
    line, room = "", width
    for gap, piece in _pieces(canvas, text, style, width):
        taken = canvas.measure(piece, style)
        if line and taken + gap * space > room:
            if len(lines) == max_lines - 1:
                return [*lines, shorten(canvas, f"{line}{' ' * gap}{piece}…", style, width)]
            lines.append(line)
            line, room = piece, width - taken
        else:
            spaced = gap and line
            line += f" {piece}" if spaced else piece
            room -= taken + (space if spaced else 0)
    return [*lines, line]


def _pieces(canvas: Canvas, text: str, style: Style, width: float) -> Iterator[tuple[bool, str]]:
    """Split a text where a line may break, and say whether a space precedes each piece.

    Pieces are words, or the clusters of a word that is wider than a line.
    """
    for word in text.split():
        if canvas.measure(word, style) <= width:
            yield True, word
        else:
            gap = True
            for cluster in _clusters(word):
                yield gap, cluster
                gap = False


def _clusters(text: str) -> Iterator[str]:
    """Split a text into characters, each with its marks and joiners."""
    cluster = ""
    for character in text:
        joins = len(cluster) < MAX_CLUSTER_CHARACTERS and (
            character in JOINERS
            or cluster[-1:] in JOINERS
            or unicodedata.category(character) in {"Mn", "Mc", "Me", "Sk"}
        )
        if cluster and not joins:
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster
