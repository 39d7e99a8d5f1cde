"""The table of activity types is complete, and Postgres accepts the same types."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from app.activity_types import ACTIVITY_TYPES, ActivityType
from app.pdf import palette
from app.postgres.database import Database

MAX_LABEL_CHARACTERS = 8
"""About as many characters as fit into the PDF's type column and the gutter after it."""


def test_every_activity_type_has_a_label_a_singular_a_plural_and_a_past_tense() -> None:
    assert set(get_args(ActivityType)) == set(ACTIVITY_TYPES)
    for words in ACTIVITY_TYPES.values():
        assert all((words.label, words.singular, words.plural, words.past_tense))


def test_pdf_has_room_for_every_label_and_a_colour_for_every_type() -> None:
    assert max(len(words.label) for words in ACTIVITY_TYPES.values()) <= MAX_LABEL_CHARACTERS
    assert len(palette.SHARES) >= len(ACTIVITY_TYPES)
    assert len(set(palette.SHARES)) == len(palette.SHARES)


@pytest.mark.parametrize("table", ["activities", "exports"])
async def test_postgres_accepts_exactly_the_types_in_activity_types(
    database: Database, table: str
) -> None:
    check = await database.fetchval(
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = $1::text::regclass and conname = $1 || '_type_check'",
        table,
    )
    assert set(re.findall(r"'(\w+)'", check)) == set(ACTIVITY_TYPES)
