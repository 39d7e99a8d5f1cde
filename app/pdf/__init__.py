"""PDF documents, drawn in child processes, so that an event loop never waits for one.

    async with renderer.drawing("app.exports.pdf", Header(...)) as drawing:
        async for batch in batches:
            await drawing.rows(batch)
        pdf = await drawing.finish()
        async for chunk in pdf:
            ...

The module that is named holds `document(header: bytes) -> Document`. Only the child imports it: it,
and what it imports, must load neither the whole app nor a library that drawing does not need.
"""

from app.pdf.protocol import DrawingFailed, DrawingKilled, OutOfMemory, OutOfTime
from app.pdf.renderer import Drawing, Finished, Renderer, open_renderer

__all__ = [
    "Drawing",
    "DrawingFailed",
    "DrawingKilled",
    "Finished",
    "OutOfMemory",
    "OutOfTime",
    "Renderer",
    "open_renderer",
]
