"""An export as a PDF, drawn in a PDF subprocess while the rows arrive.

The first page leaves room for totals and charts, which are known only at the end.
"""

from __future__ import annotations

from msgspec import msgpack

from app.activities import pdf
from app.activities.formatting import period
from app.activities.pdf import ActivityTable
from app.activities.totals import ActivityTotals, Row
from app.activity_types import ACTIVITY_TYPES
from app.exports.export import Header
from app.pdf.canvas import BODY, LEFT, Canvas, RenderedDocument

ROWS_DECODER = msgpack.Decoder(list[Row])


class ExportDocument:
    """Title, user, period, totals, up to two charts, and a table of all rows."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._totals = ActivityTotals()
        self._canvas = canvas = Canvas("Activities", header.created_at)
        canvas.go_to_page(1)
        end = pdf.shares_bottom() if header.type is None else pdf.SHARES_TOP - 14
        self._table = ActivityTable(canvas, end + 26)

    def add_rows(self, batch: bytes) -> None:
        rows = ROWS_DECODER.decode(batch)
        self._totals.add_rows(rows)
        self._table.add_rows(rows)

    def finish(self) -> RenderedDocument:
        header, canvas, totals = self._header, self._canvas, self._totals
        canvas.go_to_page(1)
        title = ACTIVITY_TYPES[header.type].plural.capitalize() if header.type else "Activities"
        days = period(header.first, header.last)
        pdf.draw_header(
            canvas, title, header.name, f"{days[0].upper()}{days[1:]}", header.created_at
        )
        pdf.draw_figures(canvas, pdf.totals_as_figures(totals.total))
        if totals.total.activities == 0:
            canvas.write_text(LEFT, pdf.CHART_TOP, "No activities.", BODY)
        else:
            first, last = min(totals.by_day), max(totals.by_day)
            pdf.draw_timeline(canvas, header.first or first, header.last or last, totals.by_day)
            if header.type is None:
                pdf.draw_type_shares(canvas, totals.by_type)
        return canvas.finish()


def document(header: bytes) -> ExportDocument:
    """Start drawing the document. Called by the PDF subprocess."""
    return ExportDocument(msgpack.decode(header, type=Header))
