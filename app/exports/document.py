"""An export's PDF, drawn in the drawing process while its rows come.

The first page keeps room for what is known at the end only.
"""

from __future__ import annotations

from msgspec import msgpack

from app.activities.printed import summary
from app.activities.printed.listing import Listing
from app.activities.printed.sums import Row, Sums
from app.activities.printed.wording import TYPES, period
from app.exports.cover import Cover
from app.pdf.canvas import BODY, LEFT, Canvas
from app.pdf.document import Drawn

ROWS = msgpack.Decoder(list[Row])


class ExportDocument:
    """Title, person, period and filter; what it adds up to; two charts; all rows."""

    def __init__(self, cover: Cover) -> None:
        self._cover = cover
        self._sums = Sums()
        self._canvas = canvas = Canvas("Activities", cover.made_at)
        canvas.turn_to(1)
        end = summary.shares_end() if cover.type is None else summary.SHARES_TOP - 14
        self._listing = Listing(canvas, end + 26)

    def rows(self, batch: bytes) -> None:
        rows = ROWS.decode(batch)
        self._sums.add(rows)
        self._listing.add(rows)

    def finish(self) -> Drawn:
        cover, canvas, sums = self._cover, self._canvas, self._sums
        canvas.turn_to(1)
        title = TYPES[cover.type][1] if cover.type else "Activities"
        lead = period(cover.first, cover.last)
        summary.head(canvas, title, cover.name, f"{lead[0].upper()}{lead[1:]}", cover.made_at)
        summary.figures(canvas, summary.total_figures(sums.total))
        if sums.total.activities == 0:
            canvas.write_text(LEFT, summary.CHART_TOP, "Nothing was recorded.", BODY)
        else:
            first, last = min(sums.days), max(sums.days)
            summary.over_time(canvas, cover.first or first, cover.last or last, sums.days)
            if cover.type is None:
                summary.by_type(canvas, sums.types)
        return canvas.finish()


def document(cover: bytes) -> ExportDocument:
    """What the drawing process calls."""
    return ExportDocument(msgpack.decode(cover, type=Cover))
