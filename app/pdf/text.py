"""People's text made ready to be drawn, in lines that fit. No character makes a document fail."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from app.pdf.canvas import Canvas, Style
from app.pdf.fonts import JOINERS, cached_font_of, font

MISSING = "\ufffd"
"""In the place of what no font can draw."""
MOST_MARKS = 8
"""On top of one another."""


def drawable(text: str) -> str:
    """Text on one line, its characters composed, without those that only control or format, and
    with U+FFFD for what no font has."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(_drawn(unicodedata.normalize("NFC", text))).split())


def _drawn(text: str) -> Iterator[str]:
    plain, last, marks = font("text").characters, None, 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category == "Mn" or character in JOINERS else 0
        if character.isspace():
            last = None
            yield " "
        elif character in JOINERS:
            if last and character in font(last).characters and marks <= 2:
                yield character
        elif category in {"Cc", "Cf", "Cs"} or marks > MOST_MARKS:
            continue
        elif character in plain:
            last = None
            yield character
        else:
            last = cached_font_of(character, last)
            yield character if last else MISSING


ELLIPSIS = "…"
LONGEST_CLUSTER = 20
MEASURED_WHOLE = 100
"""Characters of what may well fit into a line."""


def fitted(canvas: Canvas, text: str, style: Style, width: float) -> str:
    """The text, or as much of its beginning as there is room for."""
    if canvas.measure(text, style) <= width:
        return text
    room = width - canvas.measure(ELLIPSIS, style)
    kept = ""
    for cluster in _clusters(text):
        room -= canvas.measure(cluster, style)
        if room < 0:
            break
        kept += cluster
    return kept.rstrip() + ELLIPSIS


def wrapped(canvas: Canvas, text: str, style: Style, width: float, most: int) -> list[str]:
    """The text in at most so many lines, none for an empty one.

    Words stay whole where they can. The last line ends with an ellipsis when there was more.
    """
    if not text:
        return []
    if len(text) <= MEASURED_WHOLE and canvas.measure(text, style) <= width:
        return [text]
    space = canvas.measure(" ", style)
    lines: list[str] = []
    line, room = "", width
    for gap, piece in _pieces(canvas, text, style, width):
        taken = canvas.measure(piece, style)
        if line and taken + gap * space > room:
            if len(lines) == most - 1:
                return [*lines, fitted(canvas, f"{line}{' ' * gap}{piece}…", style, width)]
            lines.append(line)
            line, room = piece, width - taken
        else:
            spaced = gap and line
            line += f" {piece}" if spaced else piece
            room -= taken + (space if spaced else 0)
    return [*lines, line]


def _pieces(canvas: Canvas, text: str, style: Style, width: float) -> Iterator[tuple[bool, str]]:
    """What may stand on a line of its own, and whether a space goes before it: words, or parts of
    a word that is too long."""
    for word in text.split():
        if canvas.measure(word, style) <= width:
            yield True, word
        else:
            gap = True
            for cluster in _clusters(word):
                yield gap, cluster
                gap = False


def _clusters(text: str) -> Iterator[str]:
    """Characters, each with the marks and joiners that belong to it."""
    cluster = ""
    for character in text:
        joins = len(cluster) < LONGEST_CLUSTER and (
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
