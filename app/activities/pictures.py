"""Checking pictures by their content, with Pillow, in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import NamedTuple

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from app.activities import metadata
from app.errors import Invalid

MOST_BYTES = 10_000_000
MOST_PIXELS = 64_000_000
"""Decoded, four bytes each. The largest phone pictures that fit into the bytes have 50 million."""

FORMATS: Mapping[str, metadata.Format] = {
    "JPEG": "JPEG",
    "MPO": "JPEG",  # with more pictures behind the first, as some phones write it
    "PNG": "PNG",
    "WEBP": "WEBP",
}

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="picture")
# Two at once: what a decoded picture takes of memory is bounded, and so is what all take together.


class Picture(NamedTuple):
    """A picture that is fit to be kept."""

    content_type: str
    data: bytes


async def clean(data: bytes) -> Picture:
    """The same picture, pixel for pixel, without positions, times, names and thumbnails.

    How it is to be turned is the one thing of its EXIF that stays.

    Raises:
        Invalid: it is too large, damaged, or no JPEG, PNG or WebP, whatever its name says.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _clean, data)


def _clean(data: bytes) -> Picture:
    if len(data) > MOST_BYTES:
        raise _invalid(f"A photo has at most {MOST_BYTES // 1_000_000} MB.")
    try:
        kind, orientation = _examine(data)
        cleaned = metadata.strip(data, kind, orientation)
        _decode(cleaned)
    except UnidentifiedImageError as error:
        raise _invalid("This is no JPEG, PNG or WebP picture.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow says of damage
        raise _invalid("This picture is damaged.") from error
    return Picture(f"image/{kind.lower()}", cleaned)


def _examine(data: bytes) -> tuple[metadata.Format, int]:
    """Its format and orientation, from its header: nothing is decoded."""
    with _opened(data) as image:
        if image.width * image.height > MOST_PIXELS:
            raise _too_many_pixels()
        orientation = image.getexif().get(ExifTags.Base.Orientation, metadata.UPRIGHT)
        kind = FORMATS[image.format or ""]
        return kind, orientation if orientation in range(1, 9) else metadata.UPRIGHT


def _decode(data: bytes) -> None:
    """Raise what Pillow raises when the pixels are damaged or missing."""
    with _opened(data) as image:
        image.draft(None, (image.width // 8, image.height // 8))  # a JPEG at an eighth: cheaper
        image.load()


def _opened(data: bytes) -> ImageFile.ImageFile:
    return Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP"))


def _too_many_pixels() -> Invalid:
    return _invalid(f"A photo has at most {MOST_PIXELS // 1_000_000} million pixels.")


def _invalid(detail: str) -> Invalid:
    return Invalid(detail, field="photo")
