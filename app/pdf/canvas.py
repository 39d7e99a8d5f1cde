"""The pages that documents are drawn on: A4, in points from the upper left corner."""

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
from app.pdf.fonts import PREPARED, font, runs, takes_shapes


class Drawn(NamedTuple):
    """A document that is ready."""

    content: bytes | bytearray
    pages: int


class Document(Protocol):
    """A document in the making. The module holds `document(header: bytes) -> Document`.

    What it is given is MessagePack of what the pool was given: the module knows the types.
    """

    def rows(self, batch: bytes) -> None:
        """Draw the next rows. None may come."""
        ...

    def finish(self) -> Drawn: ...


WIDTH, HEIGHT = 595.28, 841.89
MARGIN = 50.0
LEFT, RIGHT = MARGIN, WIDTH - MARGIN
TOP, BOTTOM = 54.0, HEIGHT - 58.0

LONGEST_MEASURED = 100
"""Characters of text to be shaped that fpdf2 is given at once: it calls itself for each emoji."""

Align = Literal["left", "right", "center"]


class Style(NamedTuple):
    """How text is set. What its font lacks is set in others."""

    font: str
    size: float
    color: str


TITLE = Style("serif", 27, palette.INK)
LEAD = Style("sans", 10, palette.MUTED)
HEADING = Style("sans", 9.5, palette.INK)
LABEL = Style("sans", 8, palette.MUTED)
FIGURE = Style("serif", 19, palette.GREEN)
BODY = Style("sans", 8.5, palette.TEXT)
SMALL = Style("sans", 7.5, palette.MUTED)


class Codes(dict[str, str]):
    """A document's codes for the characters of one font, escaped as they stand in a string."""

    def __init__(self, font: TTFFont) -> None:
        self._font = font

    def __missing__(self, character: str) -> str:
        code = self._font.escape_text(chr(self._font.subset.pick(ord(character)) or 0))
        self[character] = code
        return code


class Canvas(FPDF):
    """A document's pages. Text is drawn if it is `drawable` (app/pdf/text.py), whatever it is.

    Text whose emails keep their shapes, which is nearly all, is written as PDF operators here, a
    string for each font that it takes: fpdf2's own ways to write a line do more, and take three
    times as long.
    """

    def __init__(self, title: str, made_at: datetime) -> None:
        super().__init__(unit="pt", format="A4")
        self.set_auto_page_break(False)
        self.set_margin(0)
        self.c_margin = 0
        self.alias_nb_pages(None)  # type: ignore[arg-type] # None: a note may hold {nb}
        self.set_title(title)
        self.set_lang("en")
        self.set_creator("ActiveLog")
        self.set_creation_date(made_at)
        self._style: Style | None = None
        self._color = ""
        self._codes = {name: Codes(font(name).lend(self)) for name in PREPARED}
        self._widths: dict[str, float] = {}
        """Of texts in shapes, which take long to measure, at size 1."""

    def turn_to(self, page: int) -> None:
        """Draw on this page from now on; one more than there are is a new one."""
        if page > len(self.pages):
            self.add_page()
        else:
            self.page = page
        self.current_font_is_set_on_page = False
        self._style, self._color = None, ""

    def write_text(
        self, x: float, baseline: float, text: str, style: Style, align: Align = "left"
    ) -> None:
        """Draw a line of text; `x` is its left, right or middle, as it is aligned."""
        if align != "left":
            width = self.measure(text, style)
            x -= width if align == "right" else width / 2
        if font(style.font).draws(text):
            self._write(x, baseline, text, style)
        elif takes_shapes(text):
            self._write_shaped(x, baseline, text, style)
        else:
            for part, its in _parts(text, style):
                self._write(x, baseline, part, its)
                x += _width(part, its)

    def measure(self, text: str, style: Style) -> float:
        """The width of a line."""
        if font(style.font).draws(text):
            return _width(text, style)
        if not takes_shapes(text):
            return sum(_width(part, its) for part, its in _parts(text, style))
        if len(text) > LONGEST_MEASURED:
            parts = range(0, len(text), LONGEST_MEASURED)
            return sum(self.measure(text[at : at + LONGEST_MEASURED], style) for at in parts)
        if text not in self._widths:
            self._begin_shaped(100)
            self._widths[text] = self.get_string_width(text) / 100
            self._end_shaped()
        return self._widths[text] * style.size

    def rectangle(self, x: float, y: float, width: float, height: float, color: str) -> None:
        self._paint(color)
        self._out(f"{x:.2f} {HEIGHT - y:.2f} {width:.2f} {-height:.2f} re f")

    def rule(self, x: float, y: float, width: float, color: str = palette.RULE) -> None:
        """A hairline."""
        self.rectangle(x, y - 0.25, width, 0.5, color)

    def finish(self) -> Drawn:
        """Number the pages, and put the document together."""
        pages = len(self.pages)
        for number in range(1, pages + 1):
            self.turn_to(number)
            self.write_text(RIGHT, HEIGHT - 34, f"{number} of {pages}", SMALL, "right")
        return Drawn(self.output(), pages)

    def _parse_chars(self, text: str, markdown: bool, **more: Any) -> Iterator[Fragment]:
        """The text for fpdf2 to shape, a piece for as long as the font stays the same.

        Its own way asks for each character which font to fall back to, and begins another piece at
        a mark or a joiner, which so is drawn beside what it belongs to.
        """
        for name, part in runs(text, "text"):
            self._lend(name)
            state = self._get_current_graphics_state()
            state.font_family, state.current_font = name, self.fonts[name]
            yield Fragment(list(part), state, self.k)

    def _lend(self, name: str) -> None:
        """Have a font among the document's fonts."""
        if name not in self.fonts:
            self._codes[name] = Codes(font(name).lend(self))

    def _write(self, x: float, baseline: float, text: str, style: Style) -> None:
        """Text that its font draws."""
        if style != self._style:
            self._set_style(style)
        self._paint(style.color)
        codes = "".join(map(self._codes[style.font].__getitem__, text))
        self._out(f"BT {x:.2f} {HEIGHT - baseline:.2f} Td ({codes}) Tj ET")

    def _write_shaped(self, x: float, baseline: float, text: str, style: Style) -> None:
        """Text whose emails take shapes, or run from right to left."""
        self._begin_shaped(style.size)
        self.set_text_color(style.color)
        self.set_xy(x, baseline - 0.8 * style.size)  # where a cell of this height has its baseline
        self.cell(h=style.size, text=text)
        self._end_shaped()

    def _begin_shaped(self, size: float) -> None:
        self._lend("text")
        self.set_font("text", size=size)
        self.set_text_shaping(True)

    def _end_shaped(self) -> None:
        self.set_text_shaping(False)
        self.current_font_is_set_on_page = False
        self._style, self._color = None, ""

    def _set_style(self, style: Style) -> None:
        self._lend(style.font)
        self.set_font(style.font, size=style.size)
        if not self.current_font_is_set_on_page and self.current_font is not None:
            self._out(self._set_font_for_page(self.current_font, style.size))
        self._style = style

    def _paint(self, color: str) -> None:
        """Fill what comes with this colour: text, too, is filled."""
        if color != self._color:
            self._out(_operator(color))
            self._color = color


def _width(text: str, style: Style) -> float:
    """Of text that its font draws."""
    return sum(map(font(style.font).widths.__getitem__, text)) * style.size / 1000


def _parts(text: str, style: Style) -> Iterator[tuple[str, Style]]:
    """A text in parts that one font draws."""
    for name, part in runs(text, style.font):
        yield part, style._replace(font=name)


@cache
def _operator(color: str) -> str:
    return convert_to_device_color(color).serialize().lower()
