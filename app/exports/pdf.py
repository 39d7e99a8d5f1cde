"""An export's PDF, drawn in the drawing process while its rows come.

The first page keeps room for what is known at the end only.
"""

from __future__ import annotations

from msgspec import msgpack

from app.activities import pdf
from app.activities.formatting import period
from app.activities.pdf import Listing
from app.activities.totals import Row, Sums
from app.activity_types import ACTIVITY_TYPES
from app.exports.export import Header
from app.pdf.canvas import BODY, LEFT, Canvas, Drawn

ROWS = msgpack.Decoder(list[Row])


class ExportDocument:
    """Title, person, period and filter; what it adds up to; two charts; all rows."""

    def __init__(self, header: Header) -> None:
        self._cover = header
        self._sums = Sums()
        self._canvas = canvas = Canvas("Activities", header.created_at)
        canvas.turn_to(1)
        end = pdf.shares_end() if header.type is None else pdf.SHARES_TOP - 14
        self._listing = Listing(canvas, end + 26)

    def rows(self, batch: bytes) -> None:
        rows = ROWS.decode(batch)
        self._sums.add(rows)
        self._listing.add(rows)

    def finish(self) -> Drawn:
        header, canvas, sums = self._cover, self._canvas, self._sums
        canvas.turn_to(1)
        title = ACTIVITY_TYPES[header.type].plural.capitalize() if header.type else "Activities"
        lead = period(header.first, header.last)
        pdf.head(canvas, title, header.name, f"{lead[0].upper()}{lead[1:]}", header.created_at)
        pdf.figures(canvas, pdf.total_figures(sums.total))
        if sums.total.activities == 0:
            canvas.write_text(LEFT, pdf.CHART_TOP, "No activities.", BODY)
        else:
            first, last = min(sums.days), max(sums.days)
            pdf.over_time(canvas, header.first or first, header.last or last, sums.days)
            if header.type is None:
                pdf.by_type(canvas, sums.types)
        return canvas.finish()


def document(header: bytes) -> ExportDocument:
    """What the drawing process calls."""
    return ExportDocument(msgpack.decode(header, type=Header))
