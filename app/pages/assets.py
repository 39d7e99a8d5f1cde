"""Stylesheet, scripts and icon, each under an address that changes with its content.

The stylesheet is one to the browser and several files to us: `static/style/*.css`, in the order of
their names.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from litestar import Response, get
from litestar.params import FromPath

from app.errors import NotFound

FOLDER = Path(__file__).parent / "static"
A_YEAR = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    content: bytes
    media_type: str


def _contents() -> dict[str, bytes]:
    style = b"\n".join(part.read_bytes() for part in sorted(FOLDER.glob("style/*.css")))
    alone = {path.name: path.read_bytes() for path in FOLDER.glob("*.*") if path.suffix != ".md"}
    return {"style.css": style, **alone}


ASSETS: dict[str, Asset] = {}
"""By the last part of their address."""
PATHS: dict[str, str] = {}
"""The address of each, by its name."""

for _name, _content in _contents().items():
    _stem, _, _ending = _name.rpartition(".")
    _hashed = f"{_stem}.{sha256(_content).hexdigest()[:12]}.{_ending}"
    ASSETS[_hashed] = Asset(_content, MEDIA_TYPES[f".{_ending}"])
    PATHS[_name] = f"/static/{_hashed}"


@get("/static/{name:str}", opt={"static": True})
async def static(name: FromPath[str]) -> Response[bytes]:
    """
    Raises:
        NotFound: there is no such file, or not with this content.
    """
    if name not in ASSETS:
        raise NotFound("Page not found.")
    asset = ASSETS[name]
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": A_YEAR})
