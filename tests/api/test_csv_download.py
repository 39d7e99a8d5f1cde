"""The CSV of this moment, over HTTP."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import httpx
import pandas as pd  # type: ignore[import-untyped] # has no stubs
import pytest

from app.postgres.database import Database
from tests.support.exports import CSV, add_activities
from tests.support.people import Person, person

pytestmark = pytest.mark.usefixtures("in_november")

HEADER = ["Date", "Type", "Duration (min)", "Distance (km)", "Calories", "Notes"]
AWKWARD = [
    'She said "go", twice: ""',
    "one, two; three\tfour",
    "two\nlines\r\nand a third\n",
    "🏃‍♀️ 跑步 ركض Ångström",
    '"',
    ",",
    "'already quoted",
    "\\.",
    "\\N",
    "NULL",
    "  spaces on both sides  ",
    "a = b",
    " =1+1",
]
FORMULAS = [
    '=HYPERLINK("http://evil.example", "see")',
    "=1+1",
    "+1-555",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\uff1d1+1",  # full-width = + - @
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(A1)",
]


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


async def record(api: httpx.AsyncClient, who: Person, **parts: Any) -> None:
    told = {"type": "run", "started_at": "2026-11-21T07:30:00Z", "duration_s": 1800, **parts}
    answer = await api.post("/api/v1/activities", json=told, headers=who.headers)
    assert answer.status_code == 201, answer.text


async def downloaded(api: httpx.AsyncClient, who: Person, **parameters: Any) -> str:
    answer = await api.get(CSV, params=parameters, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer.content.decode()


async def rows(api: httpx.AsyncClient, who: Person, **parameters: Any) -> list[list[str]]:
    """The rows without the header, as Python reads them."""
    text = await downloaded(api, who, **parameters)
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == HEADER
    return read


async def test_the_file_is_a_csv_to_save(api: httpx.AsyncClient, kim: Person) -> None:
    await record(api, kim, distance_m=8412.3, calories=610, notes="Frost.")

    answer = await api.get(CSV, headers=kim.headers)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="activities.csv"'
    assert answer.content == (
        b"Date,Type,Duration (min),Distance (km),Calories,Notes\n"
        b"2026-11-21,run,30,8.4123,610,Frost.\n"
    )


async def test_who_has_nothing_gets_the_header(api: httpx.AsyncClient, kim: Person) -> None:
    assert await downloaded(api, kim) == ",".join(HEADER) + "\n"


async def test_a_mark_of_utf_8_comes_first_when_asked_for(
    api: httpx.AsyncClient, kim: Person
) -> None:
    plain = await api.get(CSV, headers=kim.headers)
    marked = await api.get(CSV, params={"bom": "1"}, headers=kim.headers)

    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert (await api.get(CSV, params={"bom": "maybe"}, headers=kim.headers)).status_code == 400


async def test_every_note_comes_back_as_it_was(api: httpx.AsyncClient, kim: Person) -> None:
    for minute, note in enumerate(AWKWARD):
        await record(api, kim, started_at=f"2026-11-21T07:{minute:02}:00Z", notes=note)

    assert [row[5] for row in await rows(api, kim)] == AWKWARD


async def test_what_a_spreadsheet_would_run_has_an_apostrophe_before_it(
    api: httpx.AsyncClient, kim: Person
) -> None:
    for minute, note in enumerate(FORMULAS):
        await record(api, kim, started_at=f"2026-11-21T07:{minute:02}:00Z", notes=note)

    assert [row[5] for row in await rows(api, kim)] == [f"'{note}" for note in FORMULAS]


async def test_pandas_reads_the_rows_that_went_in(api: httpx.AsyncClient, kim: Person) -> None:
    notes = [*AWKWARD, *FORMULAS]
    for minute, note in enumerate(notes):
        started = f"2026-11-21T07:{minute:02}:00Z"
        await record(api, kim, started_at=started, notes=note, distance_m=100 * minute)

    text = await downloaded(api, kim)
    frame = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False, lineterminator="\n")

    assert list(frame["Notes"]) == [*AWKWARD, *(f"'{note}" for note in FORMULAS)]
    assert list(frame["Distance (km)"]) == [minute / 10 for minute in range(len(notes))]
    assert set(frame["Duration (min)"]) == {30}


async def test_lines_end_with_lf(api: httpx.AsyncClient, kim: Person) -> None:
    await record(api, kim)
    await record(api, kim)

    text = await downloaded(api, kim)

    assert "\r" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(1, "0"), (29, "0"), (30, "1"), (89, "1"), (90, "2"), (150, "3")]
)
async def test_minutes_are_rounded_half_up(
    api: httpx.AsyncClient, kim: Person, seconds: int, minutes: str
) -> None:
    await record(api, kim, duration_s=seconds)

    ((_, _, shown, *_),) = await rows(api, kim)

    assert shown == minutes


@pytest.mark.parametrize(
    ("metres", "kilometres"),
    [(0, "0"), (0.1, "0.0001"), (1, "0.001"), (5000, "5"), (42195, "42.195"), (1e8, "100000")],
)
async def test_kilometres_have_a_decimal_point_and_no_exponent(
    api: httpx.AsyncClient, kim: Person, metres: float, kilometres: str
) -> None:
    await record(api, kim, distance_m=metres)

    ((*_, shown, _, _),) = await rows(api, kim)

    assert shown == kilometres


async def test_what_is_absent_is_empty(api: httpx.AsyncClient, kim: Person) -> None:
    await record(api, kim)

    assert await rows(api, kim) == [["2026-11-21", "run", "30", "", "", ""]]


async def test_days_are_utc_s_and_both_are_counted_in(api: httpx.AsyncClient, kim: Person) -> None:
    for started in (
        "2026-11-20T23:59:59Z",
        "2026-11-21T00:00:00Z",
        "2026-11-22T00:30:00+01:00",  # the 21st by UTC
        "2026-11-22T23:59:59.999999Z",
        "2026-11-23T00:00:00Z",
    ):
        await record(api, kim, started_at=started)

    found = await rows(api, kim, **{"from": "2026-11-21", "to": "2026-11-22"})

    assert [row[0] for row in found] == ["2026-11-21", "2026-11-21", "2026-11-22"]
    assert len(await rows(api, kim, **{"from": "2026-11-22"})) == 2
    assert len(await rows(api, kim, to="2026-11-20")) == 1


async def test_only_the_type_that_is_asked_for(api: httpx.AsyncClient, kim: Person) -> None:
    await record(api, kim, type="run")
    await record(api, kim, type="swim")

    assert [row[1] for row in await rows(api, kim, type="swim")] == ["swim"]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"from": "2026-11-22", "to": "2026-11-21"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"type": "flight"}, "type"),
    ],
)
async def test_wrong_filters_are_refused_by_their_names(
    api: httpx.AsyncClient, kim: Person, parameters: dict[str, str], field: str
) -> None:
    answer = await api.get(CSV, params=parameters, headers=kim.headers)

    assert answer.status_code == 400
    assert [part["field"] for part in answer.json()["errors"]] == [field]


async def test_rows_are_oldest_first_whatever_the_order_they_came_in(
    api: httpx.AsyncClient, kim: Person
) -> None:
    for day in ("22", "20", "21"):
        await record(api, kim, started_at=f"2026-11-{day}T07:30:00Z")

    assert [row[0][-2:] for row in await rows(api, kim)] == ["20", "21", "22"]


async def test_nothing_deleted_and_nothing_of_others(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    sam = await person(database, "sam")
    await record(api, kim, notes="mine")
    await record(api, sam, notes="theirs")
    await record(api, kim, notes="gone")
    await database.execute("update activities set deleted_at = now() where notes = 'gone'")

    assert [row[5] for row in await rows(api, kim)] == ["mine"]


async def test_a_stranger_gets_nothing(api: httpx.AsyncClient) -> None:
    assert (await api.get(CSV)).status_code == 401


async def test_many_rows_all_arrive(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await add_activities(database, kim.id, 20_000)

    found = await rows(api, kim)

    assert len(found) == 20_000
    assert found[2][5] == "Along the river, number 3."
    begun = datetime(2020, 1, 1, 6, 20, tzinfo=UTC)
    assert found[0][0] == f"{begun:%Y-%m-%d}"
