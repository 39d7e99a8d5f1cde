"""The fonts' characters, and the fonts and glyphs that documents embed."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from fontTools import ttLib
from pypdf import PdfReader

from app.pdf.canvas import BODY, LEFT, TITLE, Canvas
from app.pdf.fonts import FONT_FILES, LATIN_CODE_POINTS, font, font_of, runs
from app.pdf.text import drawable


def render(*texts: str) -> bytes:
    canvas = Canvas("Test", datetime(2026, 11, 25, tzinfo=UTC))
    canvas.go_to_page(1)
    for number, text in enumerate(texts):
        canvas.write_text(LEFT, 100 + 20 * number, drawable(text), BODY)
        canvas.write_text(LEFT, 400 + 20 * number, drawable(text), TITLE)
    return bytes(canvas.finish().content)


def fonts(pdf: bytes) -> dict[str, Any]:
    """Return the fonts on the first page, by name."""
    resources: Any = PdfReader(BytesIO(pdf)).pages[0]["/Resources"]
    found = [font.get_object() for font in resources["/Font"].values()]
    return {font["/BaseFont"].partition("+")[2]: font for font in found}


def outlines(font: Any) -> ttLib.TTFont:
    descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
    return ttLib.TTFont(BytesIO(descriptor["/FontFile2"].get_object().get_data()))


@pytest.mark.parametrize("name", FONT_FILES)
def test_every_font_has_characters_with_widths(name: str) -> None:
    assert len(font(name).characters) > 60
    assert set(font(name).widths) == font(name).characters


@pytest.mark.parametrize(
    ("character", "name"),
    [("Ж", "text"), ("λ", "text"), ("李", "cjk"), ("한", "cjk"), ("م", "arabic"), ("ש", "hebrew"),
     ("ก", "thai"), ("🎉", "emoji"), ("Ⅷ", "symbols"), ("\ue000", None), ("\U00012000", None),
     ("؟", "arabic"), ("।", "devanagari")],
)  # fmt: skip
def test_character_is_set_in_the_font_for_its_script(character: str, name: str | None) -> None:
    assert name == font_of(character)


def test_zero_width_joiner_is_set_in_a_font_only_after_an_emoji() -> None:
    assert ("emoji", "emoji") == (font_of("\u200d", "emoji"), font_of("♀", "emoji"))
    assert font_of("\u200d", "cjk") is None
    assert font_of("\u200d") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zoë ran", [("sans", "Zoë ran")]),
        ("Мы и Zoë", [("text", "Мы и "), ("sans", "Zoë")]),
        ("李小龍\uff0cok", [("cjk", "李小龍\uff0c"), ("sans", "ok")]),
        ("محمد علي", [("arabic", "محمد علي")]),
        ("🏃\u200d♀\ufe0f 🎉", [("emoji", "🏃\u200d♀\ufe0f"), ("sans", " "), ("emoji", "🎉")]),
        ("", []),
    ],
)
def test_text_is_split_into_runs_of_one_font(text: str, expected: list[tuple[str, str]]) -> None:
    assert expected == list(runs(text, "sans"))


def test_latin_text_embeds_only_the_two_prebuilt_fonts() -> None:
    pdf = render("Zoë Ångström, 12 °C “Łódź”")
    assert {"NotoSans", "SourceSerif4"} == set(fonts(pdf))
    assert len(pdf) < 50_000


def test_prebuilt_font_is_embedded_with_the_right_glyphs() -> None:
    font = fonts(render("Zoë"))["NotoSans"]
    embedded = outlines(font)
    assert set(LATIN_CODE_POINTS) >= set(embedded.getBestCmap())
    numbers = font["/DescendantFonts"][0].get_object()["/CIDToGIDMap"].get_object().get_data()
    codes = [numbers[2 * code] * 256 + numbers[2 * code + 1] for code in range(1, 4)]
    names = [embedded.getGlyphName(code) for code in codes]
    assert ["Z", "o", "edieresis"] == names


def test_other_scripts_embed_only_the_glyphs_in_use() -> None:
    pdf = render("Привет", "李小龍", "🎉")
    assert {"NotoSans", "NotoSansCJKJP", "NotoEmoji"} == set(fonts(pdf))
    assert len(pdf) < 60_000


def test_documents_rendered_by_one_process_are_independent() -> None:
    alone = render("Привет")
    render("Мир", "李小龍")
    assert alone == render("Привет")
