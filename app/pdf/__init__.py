"""PDF documents, rendered in subprocesses, so that rendering never blocks an event loop.

    async with renderer.rendering("app.exports.pdf", Header(...)) as rendering:
        async for batch in batches:
            await rendering.send_rows(batch)
        pdf = await rendering.finish()
        async for chunk in pdf:
            ...

The named module has a function `document(header: bytes) -> Document`. Only the subprocess imports
it. The module should import only what rendering needs, not the whole app. Conversely, nothing that
the worker imports may load fpdf2, fontTools or the fonts: that would add their memory to every
worker.

Internals of fpdf2
------------------

fpdf2 parses and subsets each font again for every document, and its public methods for a line of
text do more than we need. Using its internals makes a monthly report 7 times as fast, and an
export of 5,000 rows 34 times as fast (docs/benchmarks.md). pyproject.toml therefore allows only one
minor version of fpdf2, and the tests in tests/pdf fail if a new version changes one of these parts:

- `TTFFont` (fonts.py, canvas.py). We copy a parsed font and set its `i`, `ttfont`, `ttffile`,
  `desc`, `missing_glyphs` and `subset`, and use `cmap`, `cw` and `escape_text`. `FPDF.fonts` then
  holds the copy, so that `add_font` does not parse the file again.
- `SubsetMap` (fonts.py, canvas.py). Each document gets its own, and `pick` assigns codes to its
  characters.
- fontTools' `ttLib.TTFont` (fonts.py). `_PrebuiltFont` overrides `setGlyphOrder` and `save`, so
  that a font which is already a subset is embedded as it is.
- `unicode_script` (fonts.py), for a character's script, which the standard library does not know.
- `FPDF._out` and `FPDF._set_font_for_page` (canvas.py), to write text and rectangles
  directly as PDF operators.
- `FPDF.page`, `FPDF.current_font` and `FPDF.current_font_is_set_on_page` (canvas.py), to return to
  an earlier page: page numbers and totals are written last.
- `FPDF._parse_chars` (canvas.py) is overridden. The original looks for a fallback font for each
  character on its own, and so separates marks and joiners from the characters that they belong to.
- `FPDF._get_current_graphics_state` and `Fragment` (canvas.py), which the override needs.
- `drawing_primitives.convert_to_device_color` (canvas.py), for the operator that sets a colour.
"""

from app.pdf.protocol import (
    RenderingFailed,
    RenderingOutOfMemory,
    RenderingProcessDied,
    RenderingTimedOut,
)
from app.pdf.renderer import RenderedPdf, Renderer, Rendering, open_renderer

__all__ = [
    "RenderedPdf",
    "Renderer",
    "Rendering",
    "RenderingFailed",
    "RenderingOutOfMemory",
    "RenderingProcessDied",
    "RenderingTimedOut",
    "open_renderer",
]
