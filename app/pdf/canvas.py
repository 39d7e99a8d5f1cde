"""A document's pages: A4, measured in points from the upper left corner.

Uses internals of fpdf2: see `app/pdf/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple, Protocol

from fpdf import FPDF
from fpdf.drawing_primitives import convert_to_device_color
from fpdf.fonts import TTFFont
from fpdf.line_break import Fragment

from app.pdf import palette
from app.pdf.fonts import PREBUILT_FONTS, font, needs_shaping, runs


class RenderedDocument(NamedTuple):
    """A finished document."""

    content: bytes | bytearray
    pages: int


class Document(Protocol):
    """A document that is being drawn.

    Its module also has a function `document(header: bytes) -> Document`, which starts drawing
    it. The header and the rows arrive as MessagePack; the module decodes them into its own types.
    """

    def add_rows(self, batch: bytes) -> None:
        """Draw the next rows. Called only if there are any."""
        ...

    def finish(self) -> RenderedDocument:
        """Draw what depends on all rows, and return the finished document."""
        ...


WIDTH, HEIGHT = 595.28, 841.89
MARGIN = 50.0
LEFT, RIGHT = MARGIN, WIDTH - MARGIN
TOP, BOTTOM = 54.0, HEIGHT - 58.0

MAX_SHAPED_CHARACTERS = 100
"""The longest shaped text to measure in one call: fpdf2 recurses for each emoji."""

Align = Literal["left", "right", "center"]


class Style(NamedTuple):
    """How text is set. Characters that the font lacks are set in other fonts."""

    font: str
    size: float
    color: str


TITLE = Style("serif", 27, palette.INK)
SUBTITLE = Style("sans", 10, palette.MUTED)
HEADING = Style("sans", 9.5, palette.INK)
LABEL = Style("sans", 8, palette.MUTED)
FIGURE = Style("serif", 19, palette.GREEN)
BODY = Style("sans", 8.5, palette.TEXT)
SMALL = Style("sans", 7.5, palette.MUTED)


class GlyphCodes(dict[str, str]):
    """A document's codes for the characters of one font, escaped for a PDF string."""

    def __init__(self, font: TTFFont) -> None:
        self._font = font

    def __missing__(self, character: str) -> str:
        code = self._font.escape_text(chr(self._font.subset.pick(ord(character)) or 0))
        self[character] = code
        return code


class Canvas(FPDF):
    """A document's pages. They can show any text that `drawable` has cleaned (app/pdf/text.py).

    Text that needs no shaping, which is nearly all, is written directly as PDF operators, one
    string for each part in one font: fpdf2's own methods for a line of text do more, and take three
    times as long.
    """

    def __init__(self, title: str, created_at: datetime) -> None:
        super().__init__(unit="pt", format="A4")
        self.set_auto_page_break(False)
        self.set_margin(0)
        self.c_margin = 0
        self.alias_nb_pages(None)  # type: ignore[arg-type] # None: fpdf2 must not replace {nb} in a note
        self.set_title(title)
        self.set_lang("en")
        self.set_creator("ActiveLog")
        self.set_creation_date(created_at)
        self._style: Style | None = None
        self._color = ""
        self._codes = {name: GlyphCodes(font(name).add_to(self)) for name in PREBUILT_FONTS}
        self._widths: dict[str, float] = {}
        """The widths of shaped texts at size 1, kept because measuring them is slow."""

    def go_to_page(self, page: int) -> None:
        """Draw on this page from now on. A number after the last page adds a page."""
        if page > len(self.pages):
            self.add_page()
        else:
            self.page = page
        self.current_font_is_set_on_page = False
        self._style, self._color = None, ""

    def write_text(
        self, x: float, baseline: float, text: str, style: Style, align: Align = "left"
    ) -> None:
        """Draw a line of text. `x` is its left end, right end or middle, according to `align`."""
        if align != "left":
            width = self.measure(text, style)
            x -= width if align == "right" else width / 2
        if font(style.font).can_draw(text):
            self._write(x, baseline, text, style)
        elif needs_shaping(text):
            self._write_shaped(x, baseline, text, style)
        else:
            for part, part_style in _parts(text, style):
                self._write(x, baseline, part, part_style)
                x += _width(part, part_style)

    def measure(self, text: str, style: Style) -> float:
        """Return the width of a line of text, in points."""
        if font(style.font).can_draw(text):
            return _width(text, style)
        if not needs_shaping(text):
            return sum(_width(*part) for part in _parts(text, style))
        if len(text) > MAX_SHAPED_CHARACTERS:
            parts = range(0, len(text), MAX_SHAPED_CHARACTERS)
            return sum(self.measure(text[at : at + MAX_SHAPED_CHARACTERS], style) for at in parts)
        if text not in self._widths:
            self._start_shaping(100)
            self._widths[text] = self.get_string_width(text) / 100
            self._stop_shaping()
        return self._widths[text] * style.size

    def rectangle(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Draw a filled rectangle."""
        self._set_fill_color(color)
        self._out(f"{x:.2f} {HEIGHT - y:.2f} {width:.2f} {-height:.2f} re f")

    def rule(self, x: float, y: float, width: float, color: str = palette.RULE) -> None:
        """Draw a thin horizontal line."""
        self.rectangle(x, y - 0.25, width, 0.5, color)

    def finish(self) -> RenderedDocument:
        """Write the page numbers, and assemble the document."""
        pages = len(self.pages)
        for number in range(1, pages + 1):
            self.go_to_page(number)
            self.write_text(RIGHT, HEIGHT - 34, f"{number} of {pages}", SMALL, "right")
        return RenderedDocument(self.output(), pages)

    def _parse_chars(self, text: str, markdown: bool, **more: Any) -> Iterator[Fragment]:
        """Split text into the fragments that fpdf2 shapes: one for each run of a font.

        The original method chooses a fallback font for each character on its own, and starts a new
        fragment at a mark or joiner. The mark is then drawn next to its base character, not on it.
        """
        for name, part in runs(text, "text"):
            self._add_font(name)
            state = self._get_current_graphics_state()
            state.font_family, state.current_font = name, self.fonts[name]
            yield Fragment(list(part), state, self.k)

    def _add_font(self, name: str) -> None:
        """Add a font to the document, unless the document already has it."""
        if name not in self.fonts:
            self._codes[name] = GlyphCodes(font(name).add_to(self))

    def _write(self, x: float, baseline: float, text: str, style: Style) -> None:
        """Draw text that its font can draw without shaping."""
        if style != self._style:
            self._set_style(style)
        self._set_fill_color(style.color)
        codes = "".join(map(self._codes[style.font].__getitem__, text))
        self._out(f"BT {x:.2f} {HEIGHT - baseline:.2f} Td ({codes}) Tj ET")

    def _write_shaped(self, x: float, baseline: float, text: str, style: Style) -> None:
        """Draw text that needs shaping, or runs from right to left."""
        self._start_shaping(style.size)
        self.set_text_color(style.color)
        self.set_xy(x, baseline - 0.8 * style.size)  # fpdf2 draws text 0.8 x size below y
        self.cell(h=style.size, text=text)
        self._stop_shaping()

    def _start_shaping(self, size: float) -> None:
        self._add_font("text")
        self.set_font("text", size=size)
        self.set_text_shaping(True)

    def _stop_shaping(self) -> None:
        self.set_text_shaping(False)
        self.current_font_is_set_on_page = False
        self._style, self._color = None, ""

    def _set_style(self, style: Style) -> None:
        self._add_font(style.font)
        self.set_font(style.font, size=style.size)
        if not self.current_font_is_set_on_page and self.current_font is not None:
            self._out(self._set_font_for_page(self.current_font, style.size))
        self._style = style

    def _set_fill_color(self, color: str) -> None:
        """Use this colour from now on, also for text, which PDF draws by filling the glyphs."""
        if color != self._color:
            self._out(_operator(color))
            self._color = color


def _width(text: str, style: Style) -> float:
    """Return the width of text that its font can draw."""
    return sum(map(font(style.font).widths.__getitem__, text)) * style.size / 1000


def _parts(text: str, style: Style) -> Iterator[tuple[str, Style]]:
    """Split a text into parts that a single font can draw."""
    for name, part in runs(text, style.font):
        yield part, style._replace(font=name)


@cache
def _operator(color: str) -> str:
    return convert_to_device_color(color).serialize().lower()
