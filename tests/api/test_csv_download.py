"""The immediate CSV download over HTTP."""

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


async def create_activity(api: httpx.AsyncClient, user: Person, **fields: Any) -> None:
    body = {"type": "run", "started_at": "2026-11-21T07:30:00Z", "duration_s": 1800, **fields}
    response = await api.post("/api/v1/activities", json=body, headers=user.headers)
    assert response.status_code == 201, response.text


async def download(api: httpx.AsyncClient, user: Person, **parameters: Any) -> str:
    response = await api.get(CSV, params=parameters, headers=user.headers)
    assert response.status_code == 200, response.text
    return response.content.decode()


async def rows(api: httpx.AsyncClient, user: Person, **parameters: Any) -> list[list[str]]:
    """Return the rows without the header, as Python's csv module reads them."""
    text = await download(api, user, **parameters)
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == HEADER
    return read


async def test_download_is_a_csv_attachment(api: httpx.AsyncClient, kim: Person) -> None:
    await create_activity(api, kim, distance_m=8412.3, calories=610, notes="Frost.")

    response = await api.get(CSV, headers=kim.headers)

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="activities.csv"'
    assert response.content == (
        b"Date,Type,Duration (min),Distance (km),Calories,Notes\n"
        b"2026-11-21,run,30,8.4123,610,Frost.\n"
    )


async def test_download_without_rows_has_only_the_header(
    api: httpx.AsyncClient, kim: Person
) -> None:
    assert await download(api, kim) == ",".join(HEADER) + "\n"


async def test_byte_order_mark_is_added_on_request(api: httpx.AsyncClient, kim: Person) -> None:
    plain = await api.get(CSV, headers=kim.headers)
    marked = await api.get(CSV, params={"bom": "1"}, headers=kim.headers)

    assert marked.content == b"\xef\xbb\xbf" + plain.content
    assert (await api.get(CSV, params={"bom": "maybe"}, headers=kim.headers)).status_code == 400


async def test_awkward_notes_are_read_back_unchanged(api: httpx.AsyncClient, kim: Person) -> None:
    for minute, note in enumerate(AWKWARD):
        await create_activity(api, kim, started_at=f"2026-11-21T07:{minute:02}:00Z", notes=note)

    assert [row[5] for row in await rows(api, kim)] == AWKWARD


async def test_formulas_are_prefixed_with_an_apostrophe(
    api: httpx.AsyncClient, kim: Person
) -> None:
    for minute, note in enumerate(FORMULAS):
        await create_activity(api, kim, started_at=f"2026-11-21T07:{minute:02}:00Z", notes=note)

    assert [row[5] for row in await rows(api, kim)] == [f"'{note}" for note in FORMULAS]


async def test_pandas_reads_all_rows(api: httpx.AsyncClient, kim: Person) -> None:
    notes = [*AWKWARD, *FORMULAS]
    for minute, note in enumerate(notes):
        started = f"2026-11-21T07:{minute:02}:00Z"
        await create_activity(api, kim, started_at=started, notes=note, distance_m=100 * minute)

    text = await download(api, kim)
    frame = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False, lineterminator="\n")

    assert list(frame["Notes"]) == [*AWKWARD, *(f"'{note}" for note in FORMULAS)]
    assert list(frame["Distance (km)"]) == [minute / 10 for minute in range(len(notes))]
    assert set(frame["Duration (min)"]) == {30}


async def test_lines_end_with_lf(api: httpx.AsyncClient, kim: Person) -> None:
    await create_activity(api, kim)
    await create_activity(api, kim)

    text = await download(api, kim)

    assert "\r" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(1, "0"), (29, "0"), (30, "1"), (89, "1"), (90, "2"), (150, "3")]
)
async def test_minutes_are_rounded_half_up(
    api: httpx.AsyncClient, kim: Person, seconds: int, minutes: str
) -> None:
    await create_activity(api, kim, duration_s=seconds)

    ((_, _, cell, *_),) = await rows(api, kim)

    assert cell == minutes


@pytest.mark.parametrize(
    ("metres", "kilometres"),
    [(0, "0"), (0.1, "0.0001"), (1, "0.001"), (5000, "5"), (42195, "42.195"), (1e8, "100000")],
)
async def test_kilometres_use_a_decimal_point_and_no_exponent(
    api: httpx.AsyncClient, kim: Person, metres: float, kilometres: str
) -> None:
    await create_activity(api, kim, distance_m=metres)

    ((*_, cell, _, _),) = await rows(api, kim)

    assert cell == kilometres


async def test_missing_values_are_empty(api: httpx.AsyncClient, kim: Person) -> None:
    await create_activity(api, kim)

    assert await rows(api, kim) == [["2026-11-21", "run", "30", "", "", ""]]


async def test_range_includes_its_first_and_last_days_in_utc(
    api: httpx.AsyncClient, kim: Person
) -> None:
    for started in (
        "2026-11-20T23:59:59Z",
        "2026-11-21T00:00:00Z",
        "2026-11-22T00:30:00+01:00",  # the 21st in UTC
        "2026-11-22T23:59:59.999999Z",
        "2026-11-23T00:00:00Z",
    ):
        await create_activity(api, kim, started_at=started)

    found = await rows(api, kim, **{"from": "2026-11-21", "to": "2026-11-22"})

    assert [row[0] for row in found] == ["2026-11-21", "2026-11-21", "2026-11-22"]
    assert len(await rows(api, kim, **{"from": "2026-11-22"})) == 2
    assert len(await rows(api, kim, to="2026-11-20")) == 1


async def test_download_is_filtered_by_type(api: httpx.AsyncClient, kim: Person) -> None:
    await create_activity(api, kim, type="run")
    await create_activity(api, kim, type="swim")

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
async def test_error_names_the_invalid_filter(
    api: httpx.AsyncClient, kim: Person, parameters: dict[str, str], field: str
) -> None:
    response = await api.get(CSV, params=parameters, headers=kim.headers)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_rows_are_oldest_first_regardless_of_creation_order(
    api: httpx.AsyncClient, kim: Person
) -> None:
    for day in ("22", "20", "21"):
        await create_activity(api, kim, started_at=f"2026-11-{day}T07:30:00Z")

    assert [row[0][-2:] for row in await rows(api, kim)] == ["20", "21", "22"]


async def test_deleted_activities_and_other_users_activities_are_left_out(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    sam = await person(database, "sam")
    await create_activity(api, kim, notes="mine")
    await create_activity(api, sam, notes="theirs")
    await create_activity(api, kim, notes="gone")
    await database.execute("update activities set deleted_at = now() where notes = 'gone'")

    assert [row[5] for row in await rows(api, kim)] == ["mine"]


async def test_download_requires_a_token(api: httpx.AsyncClient) -> None:
    assert (await api.get(CSV)).status_code == 401


async def test_large_download_is_complete(
    api: httpx.AsyncClient, database: Database, kim: Person
) -> None:
    await add_activities(database, kim.id, 20_000)

    found = await rows(api, kim)

    assert len(found) == 20_000
    assert found[2][5] == "Along the river, number 3."
    first_start = datetime(2020, 1, 1, 6, 20, tzinfo=UTC)
    assert found[0][0] == f"{first_start:%Y-%m-%d}"
