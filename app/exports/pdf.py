"""An export's PDF, drawn in the drawing process while its rows come.

The first page keeps room for what is known at the end only.
"""

from __future__ import annotations

from msgspec import msgpack

from app.activities import pdf
from app.activities.formatting import TYPES, period
from app.activities.pdf import Listing
from app.activities.totals import Row, Sums
from app.exports.export import Cover
from app.pdf.canvas import BODY, LEFT, Canvas, Drawn

ROWS = msgpack.Decoder(list[Row])


class ExportDocument:
    """Title, person, period and filter; what it adds up to; two charts; all rows."""

    def __init__(self, cover: Cover) -> None:
        self._cover = cover
        self._sums = Sums()
        self._canvas = canvas = Canvas("Activities", cover.made_at)
        canvas.turn_to(1)
        end = pdf.shares_end() if cover.type is None else pdf.SHARES_TOP - 14
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
        pdf.head(canvas, title, cover.name, f"{lead[0].upper()}{lead[1:]}", cover.made_at)
        pdf.figures(canvas, pdf.total_figures(sums.total))
        if sums.total.activities == 0:
            canvas.write_text(LEFT, pdf.CHART_TOP, "Nothing was recorded.", BODY)
        else:
            first, last = min(sums.days), max(sums.days)
            pdf.over_time(canvas, cover.first or first, cover.last or last, sums.days)
            if cover.type is None:
                pdf.by_type(canvas, sums.types)
        return canvas.finish()


def document(cover: bytes) -> ExportDocument:
    """What the drawing process calls."""
    return ExportDocument(msgpack.decode(cover, type=Cover))
