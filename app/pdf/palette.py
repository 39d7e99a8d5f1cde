"""The colours of the emails (templates/email/layout.html), but on white, which prints well."""

from __future__ import annotations

INK = "#17201c"
TEXT = "#36403b"
MUTED = "#66706a"
RULE = "#e3dfd5"
BAND = "#faf8f4"
GREEN = "#0b5d47"
MID_GREEN = "#3f8f77"
LIGHT_GREEN = "#7db8a4"

SHARES = (GREEN, "#c9a14a", MID_GREEN, "#8a5a44", LIGHT_GREEN, "#b7b1a3", "#4a6a8a", "#d8c7a0")
"""The colours of shares. Neighbours differ in lightness, so they stay distinct without colour."""
