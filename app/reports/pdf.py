"""A report as a PDF, drawn in a PDF subprocess."""

from __future__ import annotations

from msgspec import msgpack

from app.activities import pdf
from app.activities.pdf import ActivityTable, Figure
from app.activities.totals import Row
from app.pdf.canvas import Canvas, RenderedDocument
from app.reports.report import Header, is_over, month_before
from app.stats.totals import total

ROWS_DECODER = msgpack.Decoder(list[Row])


class ReportDocument:
    """The month's totals next to the previous month's, two charts, and a table of activities."""

    def __init__(self, header: Header) -> None:
        month, days = f"{header.month:%B %Y}", header.days
        if not is_over(header.month, header.created_at):
            month += ", so far"
        self._listed = 0
        self._recorded = sum(day.activities for day in days)
        self._canvas = canvas = Canvas(month, header.created_at)
        canvas.go_to_page(1)
        active = sum(day.activities > 0 for day in days)
        subtitle = f"Active on {active} of {len(days)} days"
        pdf.draw_header(canvas, month, header.name, subtitle, header.created_at)
        pdf.draw_figures(canvas, _figures(header))
        by_day = {day.day: day for day in days}
        pdf.draw_timeline(canvas, days[0].day, days[-1].day, by_day)
        pdf.draw_type_shares(canvas, {totals.type: totals for totals in header.types})
        self._table = ActivityTable(canvas, pdf.shares_bottom(len(header.types)) + 26)

    def add_rows(self, batch: bytes) -> None:
        rows = ROWS_DECODER.decode(batch)
        self._listed += len(rows)
        self._table.add_rows(rows)

    def finish(self) -> RenderedDocument:
        more = self._recorded - self._listed
        if more > 0:
            self._table.add_note(
                f"Activities not listed: {more:,}. Create an export to get all of them."
            )
        return self._canvas.finish()


def document(header: bytes) -> ReportDocument:
    """Start drawing the document. Called by the PDF subprocess."""
    return ReportDocument(msgpack.decode(header, type=Header))


def _figures(header: Header) -> list[Figure]:
    """Return the month's figures, each with the previous month's value as its note."""
    name = f"{month_before(header.month):%B}"
    current = pdf.totals_as_figures(total(header.days))
    previous = pdf.totals_as_figures(header.before)
    if not header.before.activities:
        return [figure._replace(note=f"none in {name}") for figure in current]
    return [
        figure._replace(note=f"{before.value} in {name}")
        for figure, before in zip(current, previous, strict=True)
    ]
