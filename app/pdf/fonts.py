"""Typefaces: found in the packages that carry them, prepared once a process, lent to documents.

`sans` and `serif`, the emails' pair, hold the Latin characters of Noto Sans and Source Serif and
are embedded as they are. Any other text is set in `text`, which is all of Noto Sans, and in the
Noto font of its script; of these a document embeds what it uses. A font is loaded when it is first
needed. All but one are variable fonts used as they are by default, so that what varies is cut off.

fpdf2 parses each font, and takes a subset of it, for every document anew. Most of that is spared
here by lending copies of its `TTFFont`. These are internals of fpdf2 and fontTools:
tests/pdf/test_faces.py tells when a new version moves them.
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

LATIN = (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2010, 0x2027), 0x20AC, 0x2212)
"""What the prepared fonts hold: emails of Europe, dashes, quotes, the euro and the minus."""
PREPARED = ("sans", "serif")

NOTO = "manimgx_fonts"
SANS = (NOTO, "NotoSans[wght].ttf")
FILES = {
    "sans": SANS,
    "serif": ("fontpkg_source_serif_4", "files/SourceSerif4[opsz,wght].ttf"),
    "text": SANS,
    "symbols": (NOTO, "NotoSansSymbols[wght].ttf"),
    "emoji": (NOTO, "NotoEmoji[wght].ttf"),
    "cjk": ("noto_cjk_sans_jp_regular", "NotoSansCJKjp-Regular.otf"),
    **{
        script.lower(): (NOTO, f"NotoSans{script}[wght].ttf")
        for script in (
            "Arabic", "Armenian", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati",
            "Gurmukhi", "Hebrew", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya",
            "Sinhala", "Tamil", "Telugu", "Thai",
        )
    },
}  # fmt: skip
"""The package and the file of each font, by the name that we give it."""

OF_ANY_SCRIPT = ("text", "symbols", "emoji", "cjk")
"""Where to look for what has no font of its script, in this order."""
OF_NO_OTHER = ("arabic", "devanagari", "thai")
"""Then here: they have commas, full stops and signs that are of no script, and in none of those."""
RIGID = {"text", "symbols", "cjk"}
"""Their characters need no shaping."""
CJK_SCRIPTS = {
    UnicodeScript.HAN, UnicodeScript.HIRAGANA, UnicodeScript.KATAKANA, UnicodeScript.HANGUL,
    UnicodeScript.BOPOMOFO,
}  # fmt: skip
UNSCRIPTED = {UnicodeScript.COMMON, UnicodeScript.INHERITED, UnicodeScript.UNKNOWN}

JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""They belong to the font of what stands before them, or nowhere."""

VARIATIONS = ("avar", "fvar", "gvar", "HVAR", "MVAR", "STAT")
UNUSED = ("DSIG", "GDEF", "GPOS", "GSUB", "gasp", "prep")
"""Tables that a PDF has no use for. Shaping reads them from the file."""


class Font:
    """A typeface of this process. `characters` are those that it can draw."""

    def __init__(self, name: str) -> None:
        self.name = name
        package, file = FILES[name]
        path = Path(str(files(package).joinpath(file)))
        self._content = _latin(path) if name in PREPARED else _stripped(path)
        self._parsed = TTFFont(FPDF(), BytesIO(self._content), name, "")  # type: ignore[arg-type] # it takes what fontTools takes
        self._parsed.ttffile = path  # for shaping
        self._order = self._parsed.ttfont.getGlyphOrder()
        for joiner in JOINERS if name == "text" else "":
            self._parsed.cmap.pop(ord(joiner), None)
        self.characters = frozenset(map(chr, self._parsed.cmap))
        self.widths = {character: self._parsed.cw[ord(character)] for character in self.characters}
        """In thousandths of the size."""

    def draws(self, text: str) -> bool:
        """Whether it draws all of a text, email by email."""
        return text.isascii() or self.characters.issuperset(text)

    def lend(self, document: FPDF) -> TTFFont:
        """Make the font one of the document's fonts."""
        font = copy.copy(self._parsed)
        font.i = len(document.fonts) + 1
        font.ttfont = (
            _Whole(self._content, self._order)
            if self.name in PREPARED
            else ttLib.TTFont(BytesIO(self._content), lazy=True, recalcTimestamp=False)
        )
        font.desc = copy.copy(font.desc)
        font.missing_glyphs = []
        font.subset = SubsetMap(font)
        document.fonts[self.name] = font
        return font


class _Whole(ttLib.TTFont):  # type: ignore[misc] # fontTools has no types
    """A font that is embedded as it is: a subset of it is taken without effect."""

    def __init__(self, content: bytes, order: list[str]) -> None:
        super().__init__()
        super().setGlyphOrder(order)
        self._content = content

    def setGlyphOrder(self, glyphOrder: list[str]) -> None:  # noqa: N802, N803 # fontTools's name
        """The order stays, and with it the numbers of the glyphs."""

    def save(self, file: Any, **_: Any) -> None:
        file.write(self._content)


@cache
def font(name: str) -> Font:
    return Font(name)


def font_of(character: str, before: str | None = None) -> str | None:
    """The font that draws a character; None when none does.

    Args:
        before: the font of the character before it. What joins, or has no script, stays in it.
    """
    script = get_unicode_script(character)
    if character in JOINERS:
        candidates = [before]
    elif script in CJK_SCRIPTS:
        candidates = ["cjk"]
    elif script in UNSCRIPTED:
        candidates = [before, *OF_ANY_SCRIPT, *OF_NO_OTHER]
    else:
        candidates = [script.name.lower(), *OF_ANY_SCRIPT]
    known = (name for name in candidates if name in FILES)
    return next((name for name in known if character in font(name).characters), None)


cached_font_of = cache(font_of)


def takes_shapes(text: str) -> bool:
    """Whether emails of a text change with their neighbours, or run from right to left; also if no
    font has them: then it is fpdf2 that draws what stands for a missing glyph."""
    return any(character in JOINERS or cached_font_of(character) not in RIGID for character in text)


def runs(text: str, first: str) -> Iterator[tuple[str, str]]:
    """A drawable text as it is set: fonts, each with what it draws until the next one does.

    Spaces belong to what stands before them, so that words of a script are in one run.

    Args:
        first: the font of all that it has.
    """
    plain, name, begun = font(first).characters, first, 0
    for at, character in enumerate(text):
        if character == " " and name != "emoji":  # whose space is as wide as an emoji
            continue
        its = first if character in plain else cached_font_of(character, name) or first
        if its != name:
            if at > begun:
                yield name, text[begun:at]
            name, begun = its, at
    if text:
        yield name, text[begun:]


def _latin(path: Path) -> bytes:
    """A font of the Latin characters alone."""
    font = ttLib.TTFont(BytesIO(_stripped(path)), lazy=True, recalcTimestamp=False)
    subsetter = subset.Subsetter(subset.Options(notdef_outline=True, hinting=False))
    subsetter.populate(unicodes=LATIN)
    subsetter.subset(font)
    return _saved(font)


def _stripped(path: Path) -> bytes:
    """A font without what varies, what only shaping needs, and a second map of characters."""
    font = ttLib.TTFont(path, lazy=True, recalcTimestamp=False)
    if "glyf" not in font:  # the one that is not variable, and is read as it is
        return path.read_bytes()
    for table in (*VARIATIONS, *UNUSED):
        if table in font:
            del font[table]
    maps = [table for table in font["cmap"].tables if table.isUnicode()]
    font["cmap"].tables = [max(maps, key=lambda table: len(table.cmap))]
    return _saved(font)


def _saved(font: ttLib.TTFont) -> bytes:
    saved = BytesIO()
    font.save(saved)
    return saved.getvalue()
