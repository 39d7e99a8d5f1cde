"""An export's PDF shows all its rows, whatever they contain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.activities.totals import Row
from app.exports.export import DOCUMENT, Header
from app.pdf import Renderer, open_renderer
from tests.email.reading import AWKWARD
from tests.pdf.reading import pages, words

CREATED_AT = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
FIRST = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
async def renderer() -> AsyncIterator[Renderer]:
    async with open_renderer(1) as opened:
        yield opened


def header(**fields: Any) -> Header:
    days = {"first": date(2026, 11, 1), "last": date(2026, 11, 30)}
    return Header(
        **{"name": "Ada Lovelace", "type": None, "created_at": CREATED_AT, **days, **fields}
    )


async def render(renderer: Renderer, given: Header, rows: Sequence[Row]) -> bytes:
    async with renderer.rendering(DOCUMENT, given) as rendering:
        for first in range(0, len(rows), 1000):
            await rendering.send_rows(rows[first : first + 1000])
        finished = await rendering.finish()
        return await finished.read()


def run(number: int, notes: str | None = None) -> Row:
    return (FIRST + timedelta(days=number), "run", 1800 + number, 5000.0 + number, 300, notes)


async def test_first_page_has_the_name_the_period_and_the_totals(renderer: Renderer) -> None:
    rows: list[Row] = [
        (FIRST, "run", 2712, 8200.0, 612, "Intervals"),
        (FIRST, "swim", 3600, 1900.0, None, None),
        (FIRST + timedelta(days=2), "other", 60, None, None, ""),
    ]
    (page,) = pages(await render(renderer, header(), rows))
    text = " ".join(page.split())
    for expected in (
        "Ada Lovelace",
        "1 to 30 November 2026",
        "Created on 25 November 2026",
        "Distance 10.1 km",
        "Time 1 h 46 min",
        "Energy 612 kcal",
        "Distance by day",
        "Run 43% 1 activity · 8.2 km · 45 min",
        "Other 1% 1 activity · 1 min",
        "2 Nov 2026 Run 0:45:12 8.20 612 Intervals",
        "2 Nov 2026 Swim 1:00:00 1.90",
        "4 Nov 2026 Other 0:01:00",
        "1 of 1",
    ):
        assert expected in text


async def test_export_of_one_type_has_the_type_as_its_title_and_no_shares(
    renderer: Renderer,
) -> None:
    text = words(await render(renderer, header(type="run"), [run(1)]))
    assert "Runs" in text
    assert "Time by type" not in text


async def test_chart_shows_time_if_no_activity_has_a_distance(renderer: Renderer) -> None:
    rows: list[Row] = [(FIRST, "other", 3600, None, None, "yoga")]
    assert "Time by day" in words(await render(renderer, header(), rows))


async def test_empty_export_says_that_there_are_no_activities(renderer: Renderer) -> None:
    text = words(await render(renderer, header(first=None, last=None), []))
    assert "No activities." in text
    assert "All time" in text
    assert "Notes" not in text  # without rows there is no table


async def test_all_rows_are_listed_and_every_page_has_a_header(renderer: Renderer) -> None:
    rows = [run(number, f"note {number} end") for number in range(1200)]
    found = pages(await render(renderer, header(first=None, last=None), rows))
    assert len(found) > 30
    for number, page in enumerate(found, 1):
        assert f"{number} of {len(found)}" in page
        assert "Notes" in page
    text = " ".join(" ".join(found).split())
    assert [n for n in range(1200) if f"note {n} end" not in text] == []


NOTES = {
    "quotes": "\"quoted\" and 'so'",
    "newlines": "one\r\ntwo\n\nthree",
    "emoji": "Rain ☔ and glad 🎉",
    "a formula": "=HYPERLINK(1)",
    "Chinese": "跑步很好",
    "long": "word " * 40,
    "markup": "</Notes> **b** {nb} %s \\(",
}


@pytest.mark.parametrize("notes", NOTES.values(), ids=NOTES)
async def test_notes_are_printed_verbatim_except_for_line_breaks(
    renderer: Renderer, notes: str
) -> None:
    text = words(await render(renderer, header(), [run(1, notes), run(2, "after")]))
    assert " ".join(notes.split()) in text
    assert "after" in text


async def test_very_long_note_is_shortened(renderer: Renderer) -> None:
    text = words(await render(renderer, header(), [run(1, "long tale " * 500), run(2, "after")]))
    assert "long tale" in text
    assert "…" in text
    assert "after" in text


@pytest.mark.parametrize("name", AWKWARD.values(), ids=AWKWARD)
async def test_any_name_and_note_can_be_rendered(renderer: Renderer, name: str) -> None:
    assert len(pages(await render(renderer, header(name=name), [run(1, name * 20)]))) == 1


async def test_largest_numbers_are_printed_in_full(renderer: Renderer) -> None:
    largest: Row = (FIRST, "ride", 604_800, 100_000_000.0, 1_000_000, None)
    text = words(await render(renderer, header(), [largest] * 1000))
    assert "2 Nov 2026 Ride 168:00:00 100,000.00 1,000,000" in text
    assert "100,000,000 km" in text


async def test_same_rows_give_the_same_document(renderer: Renderer) -> None:
    rows = [run(number, "李小龍") for number in range(9)]
    first, second = [await render(renderer, header(), rows) for _ in range(2)]
    assert first == second
