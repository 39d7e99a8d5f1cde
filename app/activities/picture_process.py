"""A picture process: `python -m app.activities.picture_process MEMORY SECONDS`.

It reads one image from standard input, checks it and removes its metadata. Decoders need up to 15
bytes of memory for each pixel, and a few bytes can claim millions of pixels, so images are decoded
only here, under limits. It gets no environment, and so has no credentials for the servers.

It exits with 0 and writes the content type, a newline and the cleaned image; or it exits with
`REFUSED` and writes a sentence for the user.
"""

from __future__ import annotations

import resource
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from app.activities import metadata

REFUSED = 3
"""The exit code for an image that is not accepted."""
MEGAPIXELS: Mapping[metadata.Format, int] = {"JPEG": 64, "PNG": 48, "WEBP": 12}
"""The maximum number of pixels, in millions. JPEGs are decoded at an eighth of their size; a pixel
of a PNG takes 4 bytes, and one of a WebP about 15."""
FORMATS: Mapping[str, metadata.Format] = {
    "JPEG": "JPEG",
    "MPO": "JPEG",  # a JPEG followed by more images, which some phones produce
    "PNG": "PNG",
    "WEBP": "WEBP",
}


class Refused(Exception):
    """The image is not accepted. The message is a sentence for the user."""


class Picture(NamedTuple):
    """An image without metadata, ready to store."""

    content_type: str
    data: bytes


def clean(data: bytes) -> Picture:
    """Return the same image, pixel for pixel, without locations, times, names or thumbnails.

    Of its EXIF data, only the orientation is kept.

    Raises:
        Refused: the data is damaged or not a JPEG, PNG or WebP image, or has too many pixels.
        MemoryError: decoding needs more memory than this process may use.
    """
    try:
        image_format, orientation = _examine(data)
        cleaned = metadata.strip(data, image_format, orientation)
        _decode(cleaned)
    except UnidentifiedImageError as error:
        raise Refused("This is not a JPEG, PNG or WebP image.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(
            f"A photo can have at most {max(MEGAPIXELS.values())} million pixels."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # the file is damaged
        raise Refused("This image is damaged.") from error
    return Picture(f"image/{image_format.lower()}", cleaned)


def _examine(data: bytes) -> tuple[metadata.Format, int]:
    """Return the format and orientation from the header, without decoding the image."""
    if webp_size := metadata.webp_size(data):
        _check_size("WEBP", *webp_size)
    with _open(data) as image:
        image_format = FORMATS[image.format or ""]
        _check_size(image_format, image.width, image.height)
        orientation = image.getexif().get(ExifTags.Base.Orientation, metadata.UPRIGHT)
        return image_format, orientation if orientation in range(1, 9) else metadata.UPRIGHT


def _check_size(image_format: metadata.Format, width: int, height: int) -> None:
    limit = MEGAPIXELS[image_format]
    if width * height > limit * 1_000_000:
        name = "WebP" if image_format == "WEBP" else image_format
        raise Refused(f"A {name} photo can have at most {limit} million pixels.")


def _decode(data: bytes) -> None:
    """Decode the image, so that Pillow raises an error if pixels are damaged or missing."""
    with _open(data) as image:
        # Cheaper: JPEG at 1/8 scale.
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()


def _open(data: bytes) -> ImageFile.ImageFile:
    return Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP"))


def _limit_resources(memory_bytes: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))  # Linux only
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with suppress(OSError):  # if memory runs out, the system ends this process and not the API
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:
    """Clean the image on standard input."""
    _limit_resources(int(sys.argv[1]), int(sys.argv[2]))
    warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF, which is removed
    answer = sys.stdout.buffer
    try:
        picture = clean(sys.stdin.buffer.read())
    except Refused as refusal:
        answer.write(str(refusal).encode())
        sys.exit(REFUSED)
    answer.write(picture.content_type.encode() + b"\n")
    answer.write(picture.data)


if __name__ == "__main__":
    main()
