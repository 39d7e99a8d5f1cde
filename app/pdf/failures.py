"""Why a document was not drawn."""

from __future__ import annotations


class DrawingFailed(Exception):
    """The document raised: the same rows will make it fail again."""


class OutOfTime(DrawingFailed):
    """It took longer than a document may: too long for this machine at this hour, or stuck."""


class OutOfMemory(DrawingFailed):
    """It needed more memory than a document may."""


class DrawingKilled(DrawingFailed):
    """Its process ended without a word: worth another try."""
