"""Text in PDFs: anything that users write can be drawn, fits, and can be extracted."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.pdf.canvas import BODY, LEFT, TITLE, Canvas
from app.pdf.text import REPLACEMENT, drawable, shorten, wrap
from tests.pdf.reading import words

SHOWN = {
    "Latin": "Zoë Ångström, Łódź, Đặng Thị",
    "Greek": "Αθήνα",
    "Cyrillic": "Привет",
    "Chinese": "李小龍跑步",
    "Japanese": "東京マラソン",
    "Korean": "한국어",
    "formula": "=SUM(A1:A9)",
    "markup": "<script>alert(1)</script> **bold** __it__ {nb} \\",
    "quotes": "\"quoted\" 'so' “and” (so)",
    "symbols": "€ → ★ ½ 42 °C",
}
SHAPED = {
    "Arabic": "محمد علي",
    "Hebrew": "שלום עולם",
    "Devanagari": "हिन्दी",
    "Thai": "ภาษาไทย",
    "emoji": "🏃🎉",
    "a family": "👨\u200d👩\u200d👧\u200d👦",
    "a flag": "🇩🇪",
}
CLEANED = {
    "newlines": ("one\r\ntwo\n\nthree", "one two three"),
    "control characters": ("a\x00b\x07c\x7f\x9d", "abc"),
    "direction overrides": ("a\u202egnirts\u202c b", "agnirts b"),
    "spaces": ("  a \t b\u2003c\u00a0 ", "a b c"),
    "a combining accent": ("e\u0301", "é"),
    "a private-use character": ("a\ue000b", f"a{REPLACEMENT}b"),
    "an unassigned code point": ("a\u0378b", f"a{REPLACEMENT}b"),
    "a surrogate": ("a\ud800b", "ab"),
    "joiners alone": ("\u200d\ufe0f\u200c", ""),
    "many joiners": ("🏃" + "\u200d\ufe0f" * 2000, "🏃\u200d\ufe0f"),
    "stacked marks": ("x" + "\u0301" * 2000, "x" + "\u0301" * 8),
}


@pytest.fixture
def canvas() -> Canvas:
    made = Canvas("Test", datetime(2026, 11, 25, tzinfo=UTC))
    made.go_to_page(1)
    return made


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_text_can_be_extracted(canvas: Canvas, text: str) -> None:
    canvas.write_text(LEFT, 100, drawable(text), BODY)
    canvas.write_text(LEFT, 200, drawable(text), TITLE)
    assert f"{text} {text}" in words(canvas.finish().content)


@pytest.mark.parametrize("text", SHAPED.values(), ids=SHAPED)
def test_text_that_needs_shaping_is_drawn(canvas: Canvas, text: str) -> None:
    canvas.write_text(LEFT, 100, drawable(text), BODY)
    assert REPLACEMENT not in drawable(text)
    seen = words(canvas.finish().content)
    assert {c for c in text if c.isalpha() or c in "🏃🎉"} <= set(seen)


@pytest.mark.parametrize(
    ("text", "narrow"),
    [
        ("Fast 🏃\u200d♀\ufe0f today", "Fast 🏃 today"),
        ("With 👨\u200d👩\u200d👧 along", "With 👨 along"),
        ("مُحَمَّد", "محمد"),
    ],
    ids=["a runner", "a family", "vowels"],
)
def test_combining_marks_and_joined_emoji_add_no_width(
    canvas: Canvas, text: str, narrow: str
) -> None:
    widths = [canvas.measure(drawable(shown), BODY) for shown in (text, narrow)]
    assert widths[0] == pytest.approx(widths[1])


@pytest.mark.parametrize(("text", "cleaned"), CLEANED.values(), ids=CLEANED)
def test_text_is_cleaned_for_drawing(canvas: Canvas, text: str, cleaned: str) -> None:
    assert cleaned == drawable(text)
    canvas.write_text(LEFT, 100, drawable(text), BODY)
    assert cleaned.replace(" ", "") in words(canvas.finish().content).replace(" ", "")


def characters() -> Iterator[str]:
    """Yield every 113th code point, from one end of Unicode to the other."""
    for code in range(0, sys.maxunicode + 1, 113):
        yield chr(code)


def test_no_character_breaks_the_document(canvas: Canvas) -> None:
    some = [c for c in characters() if unicodedata.category(c) not in {"Co", "Cn"}]
    for first in range(0, len(some), 60):
        text = drawable("".join(some[first : first + 60]))
        canvas.write_text(LEFT, 100, text, BODY)
        canvas.write_text(LEFT, 100, text, TITLE, "right")
    assert canvas.finish().pages == 1


LONG = {
    "words": "word " * 300,
    "one word": "W" * 5000,
    "Chinese": "李小龍" * 400,
    "Arabic": "محمد علي " * 100,
    "Arabic with commas": "جريت اليوم، وكان الجو جميلا، " * 60,
    "Arabic, drawn out": "ع" + "ـ" * 900,
    "Hindi with full stops": "आज मैं दौड़ा। मौसम अच्छा था। " * 60,
    "emoji": "🏃\u200d♀\ufe0f" * 200,
    "marks": "e" + "\u0301" * 900,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_text_is_wrapped_into_a_few_lines_that_fit(canvas: Canvas, text: str) -> None:
    text = drawable(text)
    lines = wrap(canvas, text, BODY, 180, 4)
    assert len(lines) == (1 if text.startswith("é") else 4)
    assert all(canvas.measure(line, BODY) <= 180.5 for line in lines)
    assert lines[-1].endswith("…") or len(lines) == 1
    assert canvas.measure(shorten(canvas, text, BODY, 90), BODY) <= 90.5


def test_wrapping_keeps_words_whole_and_loses_nothing(canvas: Canvas) -> None:
    text = "Easy run with Sam along the river, and back over the old bridge in the rain."
    lines = wrap(canvas, text, BODY, 120, 9)
    assert text == " ".join(lines)
    assert len(lines) > 2
    assert wrap(canvas, "", BODY, 120, 9) == []
    assert shorten(canvas, "short", BODY, 120) == "short"
