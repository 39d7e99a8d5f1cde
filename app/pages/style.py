"""The one stylesheet, under an address that changes with its content."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from litestar import MediaType, Response, get

STYLE = (Path(__file__).parent / "style.css").read_bytes()
STYLE_PATH = f"/style/{sha256(STYLE).hexdigest()[:12]}.css"

A_YEAR = "public, max-age=31536000, immutable"


@get(STYLE_PATH, opt={"public": True})
async def stylesheet() -> Response[bytes]:
    return Response(STYLE, media_type=MediaType.CSS, headers={"Cache-Control": A_YEAR})
