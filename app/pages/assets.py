"""The stylesheet, scripts and icon, each at a URL that changes with its content.

The stylesheet consists of the files `static/style/*.css`, in the order of their names.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from litestar import Response, get
from litestar.params import FromPath

from app.errors import NotFound

FOLDER = Path(__file__).parent / "static"
CACHE_FOR_A_YEAR = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    content: bytes
    media_type: str


def _read_assets() -> dict[str, bytes]:
    style = b"\n".join(part.read_bytes() for part in sorted(FOLDER.glob("style/*.css")))
    others = {path.name: path.read_bytes() for path in FOLDER.glob("*.*") if path.suffix != ".md"}
    return {"style.css": style, **others}


ASSETS: dict[str, Asset] = {}
"""The assets by the name in their URL, which contains a hash of the content."""
ASSET_PATHS: dict[str, str] = {}
"""The URL path of each asset, by the name that templates use."""

for _name, _content in _read_assets().items():
    _stem, _, _extension = _name.rpartition(".")
    _hashed = f"{_stem}.{sha256(_content).hexdigest()[:12]}.{_extension}"
    ASSETS[_hashed] = Asset(_content, MEDIA_TYPES[f".{_extension}"])
    ASSET_PATHS[_name] = f"/static/{_hashed}"


@get("/static/{name:str}", opt={"static": True})
async def serve_asset(name: FromPath[str]) -> Response[bytes]:
    """Serve an asset.

    Raises:
        NotFound: no asset has this name, or its content has changed.
    """
    if name not in ASSETS:
        raise NotFound("Page not found.")
    asset = ASSETS[name]
    return Response(
        asset.content, media_type=asset.media_type, headers={"Cache-Control": CACHE_FOR_A_YEAR}
    )
