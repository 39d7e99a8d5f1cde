"""The registered export formats, and every place that offers them."""

from __future__ import annotations

import re
import subprocess
import sys
import typing
from typing import Any

import httpx
import pytest

from app.__main__ import app as command_line
from app.exports.export import Format
from app.exports.formats import FORMATS, joined_labels
from app.pdf.renderer import PROJECT
from app.postgres.database import Database
from app.resources import Resources
from tests.pages.browsing import sign_up, text_of


def test_format_type_lists_the_registered_formats() -> None:
    assert set(typing.get_args(Format)) == set(FORMATS)


def test_formats_differ_in_name_label_extension_and_file_name() -> None:
    formats = FORMATS.values()
    assert [format.name for format in formats] == list(FORMATS)
    for values in (
        {format.label for format in formats},
        {format.extension for format in formats},
        {format.filename for format in formats},
    ):
        assert len(values) == len(FORMATS)


async def test_api_schema_offers_the_registered_formats(api: httpx.AsyncClient) -> None:
    document: dict[str, Any] = (await api.get("/schema/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for name in ("NewExport", "ExportResponse"):
        assert set(schemas[name]["properties"]["format"]["enum"]) == set(FORMATS)
    (tag,) = [tag for tag in document["tags"] if tag["name"] == "exports"]
    assert joined_labels() in tag["description"]


async def test_exports_page_offers_the_registered_formats(
    application: Any, resources: Resources
) -> None:
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as browser:
        await sign_up(browser)
        page = await browser.get("/exports")
    offered = re.findall(r'<input type="radio" name="format" value="(.+?)"', page.text)
    assert offered == list(FORMATS)
    for format in FORMATS.values():
        assert f"{format.label} {format.purpose}" in text_of(page)


def test_trigger_command_offers_the_registered_formats(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line(["trigger", "export:generate", "--help"])
    unwrapped = re.sub(r"[│\s]+", " ", capsys.readouterr().out)
    choices = re.search(r"The format of the file\. \[choices: (.+?)\]", unwrapped)
    assert choices is not None
    assert set(choices[1].split(", ")) == set(FORMATS)


def test_importing_the_formats_does_not_load_the_pdf_libraries() -> None:
    program = (
        "import sys; import worker.settings; import app.exports.formats;"
        " loaded = {'fpdf', 'fontTools', 'uharfbuzz', 'PIL'} & set(sys.modules);"
        " sys.exit(f'loaded: {sorted(loaded)}' if loaded else 0)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")


async def test_database_accepts_the_registered_formats(database: Database) -> None:
    constraint = await database.fetchval(
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'exports'::regclass and conname = 'exports_format_check'"
    )
    assert set(re.findall(r"'(\w+)'", constraint)) == set(FORMATS)
