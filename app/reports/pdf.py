"""A report's PDF, drawn in the drawing process."""

from __future__ import annotations

from msgspec import msgpack

from app.activities import pdf
from app.activities.pdf import Figure, Listing
from app.activities.totals import Row
from app.pdf.canvas import Canvas, Drawn
from app.reports.report import Header, is_over, month_before
from app.stats.totals import total

ROWS = msgpack.Decoder(list[Row])


class ReportDocument:
    """The month, what it adds up to beside the month before, two charts, and its activities."""

    def __init__(self, header: Header) -> None:
        month, days = f"{header.month:%B %Y}", header.days
        if not is_over(header.month, header.made_at):
            month += ", so far"
        self._listed = 0
        self._recorded = sum(day.activities for day in days)
        self._canvas = canvas = Canvas(month, header.made_at)
        canvas.turn_to(1)
        active = sum(day.activities > 0 for day in days)
        lead = f"Active on {active} of {len(days)} days"
        pdf.head(canvas, month, header.name, lead, header.made_at)
        pdf.figures(canvas, _figures(header))
        by_day = {day.day: day for day in days}
        pdf.over_time(canvas, days[0].day, days[-1].day, by_day)
        pdf.by_type(canvas, {figures.type: figures for figures in header.types})
        self._listing = Listing(canvas, pdf.shares_end(len(header.types)) + 26)

    def rows(self, batch: bytes) -> None:
        rows = ROWS.decode(batch)
        self._listed += len(rows)
        self._listing.add(rows)

    def finish(self) -> Drawn:
        more = self._recorded - self._listed
        if more > 0:
            self._listing.note(
                f"{more:,} more activities are not listed. Create an export to get all of them."
            )
        return self._canvas.finish()


def document(header: bytes) -> ReportDocument:
    """What the drawing process calls."""
    return ReportDocument(msgpack.decode(header, type=Header))


def _figures(header: Header) -> list[Figure]:
    """Of the month, each above what it was in the month before."""
    name = f"{month_before(header.month):%B}"
    shown = pdf.total_figures(total(header.days))
    before = pdf.total_figures(header.before)
    if not header.before.activities:
        return [figure._replace(note=f"none in {name}") for figure in shown]
    return [
        figure._replace(note=f"{earlier.value} in {name}")
        for figure, earlier in zip(shown, before, strict=True)
    ]
