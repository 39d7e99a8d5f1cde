"""The fonts: found in their packages, prepared once per process, and copied into documents.

`sans` and `serif` hold the Latin characters of Noto Sans and Source Serif, and are embedded whole.
Other text is set in `text`, which is all of Noto Sans, or in the Noto font of its script; documents
embed only the glyphs that they use. A font is loaded when it is first needed. All but one are
variable fonts. Only their default instance is used, so their variation tables are dropped.

Uses internals of fpdf2 and fontTools: see `app/pdf/__init__.py`. tests/pdf/test_fonts.py fails
if a new version changes them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

from fontTools import subset, ttLib
from fpdf import FPDF
from fpdf.fonts import SubsetMap, TTFFont
from fpdf.unicode_script import UnicodeScript, get_unicode_script

LATIN_CODE_POINTS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2010, 0x2027),
    0x20AC,
    0x2212,
)
"""The characters of the prebuilt fonts: ASCII, accented Latin letters, dashes, quotes, and the euro
and minus signs."""
PREBUILT_FONTS = ("sans", "serif")
"""The fonts that are subset once per process, not once per document."""

NOTO_PACKAGE = "manimgx_fonts"
SANS = (NOTO_PACKAGE, "NotoSans[wght].ttf")
FONT_FILES = {
    "sans": SANS,
    "serif": ("fontpkg_source_serif_4", "files/SourceSerif4[opsz,wght].ttf"),
    "text": SANS,
    "symbols": (NOTO_PACKAGE, "NotoSansSymbols[wght].ttf"),
    "emoji": (NOTO_PACKAGE, "NotoEmoji[wght].ttf"),
    "cjk": ("noto_cjk_sans_jp_regular", "NotoSansCJKjp-Regular.otf"),
    **{
        script.lower(): (NOTO_PACKAGE, f"NotoSans{script}[wght].ttf")
        for script in (
            "Arabic", "Armenian", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati",
            "Gurmukhi", "Hebrew", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya",
            "Sinhala", "Tamil", "Telugu", "Thai",
        )
    },
}  # fmt: skip
"""The package and the file of each font, by our name for it."""

FALLBACK_FONTS = ("text", "symbols", "emoji", "cjk")
"""Where to look, in this order, for characters without a font for their script."""
PUNCTUATION_FONTS = ("arabic", "devanagari", "thai")
"""Where to look next: these fonts have commas, full stops and signs that belong to no script and
are in none of `FALLBACK_FONTS`."""
UNSHAPED_FONTS = {"text", "symbols", "cjk"}
"""Fonts whose characters need no shaping."""
CJK_SCRIPTS = {
    UnicodeScript.HAN, UnicodeScript.HIRAGANA, UnicodeScript.KATAKANA, UnicodeScript.HANGUL,
    UnicodeScript.BOPOMOFO,
}  # fmt: skip
SCRIPTLESS = {UnicodeScript.COMMON, UnicodeScript.INHERITED, UnicodeScript.UNKNOWN}

JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Joiners and variation selectors. They are set in the font of the character before them, or not at
all."""

VARIATION_TABLES = ("avar", "fvar", "gvar", "HVAR", "MVAR", "STAT")
UNUSED_TABLES = ("DSIG", "GDEF", "GPOS", "GSUB", "gasp", "prep")
"""Tables that a PDF does not need. Shaping reads them from the font's file."""


class Font:
    """A font, prepared for all documents of this process. It can draw `characters`."""

    def __init__(self, name: str) -> None:
        self.name = name
        package, file = FONT_FILES[name]
        path = Path(str(files(package).joinpath(file)))
        self._content = _latin_subset(path) if name in PREBUILT_FONTS else _stripped(path)
        self._parsed = TTFFont(FPDF(), BytesIO(self._content), name, "")  # type: ignore[arg-type] # it accepts what fontTools accepts
        self._parsed.ttffile = path  # for shaping
        self._glyph_order = self._parsed.ttfont.getGlyphOrder()
        for joiner in JOINERS if name == "text" else "":
            self._parsed.cmap.pop(ord(joiner), None)
        self.characters = frozenset(map(chr, self._parsed.cmap))
        self.widths = {character: self._parsed.cw[ord(character)] for character in self.characters}
        """In thousandths of the font size."""

    def can_draw(self, text: str) -> bool:
        """Tell whether the font has all characters of a text."""
        return text.isascii() or self.characters.issuperset(text)

    def add_to(self, document: FPDF) -> TTFFont:
        """Add a copy of the font to a document."""
        font = copy.copy(self._parsed)
        font.i = len(document.fonts) + 1
        font.ttfont = (
            _PrebuiltFont(self._content, self._glyph_order)
            if self.name in PREBUILT_FONTS
            else ttLib.TTFont(BytesIO(self._content), lazy=True, recalcTimestamp=False)
        )
        font.desc = copy.copy(font.desc)
        font.missing_glyphs = []
        font.subset = SubsetMap(font)
        document.fonts[self.name] = font
        return font


class _PrebuiltFont(ttLib.TTFont):  # type: ignore[misc] # fontTools has no types
    """A font that is embedded whole: subsetting it changes nothing."""

    def __init__(self, content: bytes, order: list[str]) -> None:
        super().__init__()
        super().setGlyphOrder(order)
        self._content = content

    def setGlyphOrder(self, glyphOrder: list[str]) -> None:  # noqa: N802, N803 # fontTools's name
        """Keep the order, and so the glyph ids."""

    def save(self, file: Any, **_: Any) -> None:
        file.write(self._content)


@cache
def font(name: str) -> Font:
    return Font(name)


def font_of(character: str, before: str | None = None) -> str | None:
    """Return the name of the font for a character, or None if no font has it.

    Args:
        before: the name of the preceding character's font. Joiners are set in the same font, and
            so are characters without a script if that font has them.
    """
    script = get_unicode_script(character)
    if character in JOINERS:
        candidates = [before]
    elif script in CJK_SCRIPTS:
        candidates = ["cjk"]
    elif script in SCRIPTLESS:
        candidates = [before, *FALLBACK_FONTS, *PUNCTUATION_FONTS]
    else:
        candidates = [script.name.lower(), *FALLBACK_FONTS]
    names = (name for name in candidates if name in FONT_FILES)
    return next((name for name in names if character in font(name).characters), None)


cached_font_of = cache(font_of)


def needs_shaping(text: str) -> bool:
    """Tell whether any characters may change shape next to others, or run from right to left.

    Also true if some character is in no font: fpdf2 then draws the missing-glyph symbol.
    """
    return any(
        character in JOINERS or cached_font_of(character) not in UNSHAPED_FONTS
        for character in text
    )


def runs(text: str, preferred: str) -> Iterator[tuple[str, str]]:
    """Split a drawable text into runs: the name of a font, and the text to set in it.

    A space belongs to the run before it, so that words of one script form one run.

    Args:
        preferred: the font used for all characters that it has.
    """
    preferred_characters, name, start = font(preferred).characters, preferred, 0
    for at, character in enumerate(text):
        if character == " " and name != "emoji":  # the emoji font's space is as wide as an emoji
            continue
        if character in preferred_characters:
            chosen = preferred
        else:
            chosen = cached_font_of(character, name) or preferred
        if chosen != name:
            if at > start:
                yield name, text[start:at]
            name, start = chosen, at
    if text:
        yield name, text[start:]


def _latin_subset(path: Path) -> bytes:
    """Return the font with its Latin characters only."""
    font = ttLib.TTFont(BytesIO(_stripped(path)), lazy=True, recalcTimestamp=False)
    subsetter = subset.Subsetter(subset.Options(notdef_outline=True, hinting=False))
    subsetter.populate(unicodes=LATIN_CODE_POINTS)
    subsetter.subset(font)
    return _serialized(font)


def _stripped(path: Path) -> bytes:
    """Return the font without variations or shaping tables, with only its largest character map."""
    font = ttLib.TTFont(path, lazy=True, recalcTimestamp=False)
    if "glyf" not in font:  # the CJK font, which is not variable
        return path.read_bytes()
    for table in (*VARIATION_TABLES, *UNUSED_TABLES):
        if table in font:
            del font[table]
    maps = [table for table in font["cmap"].tables if table.isUnicode()]
    font["cmap"].tables = [max(maps, key=lambda table: len(table.cmap))]
    return _serialized(font)


def _serialized(font: ttLib.TTFont) -> bytes:
    content = BytesIO()
    font.save(content)
    return content.getvalue()
