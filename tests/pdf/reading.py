"""The text in PDFs."""

from __future__ import annotations

from io import BytesIO

from pypdf import PdfReader


def pages(pdf: bytes | bytearray) -> list[str]:
    """Return the text of each page.

    pypdf reads a two-byte character in the CJK font as two characters, of which the first is NUL.
    """
    return [page.extract_text().replace("\0", "") for page in PdfReader(BytesIO(pdf)).pages]


def words(pdf: bytes | bytearray) -> str:
    """Return all text, with single spaces."""
    return " ".join(" ".join(pages(pdf)).split())
