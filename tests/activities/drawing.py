"""Small images with a red upper left corner, so that a rotation is visible."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import ExifTags, Image, ImageOps

SIZE = (96, 64)
RED, BLUE = (220, 20, 20), (20, 20, 220)
UNROTATED, ROTATED = 1, 6
"""EXIF orientations. Phones held upright write 6: viewers rotate the image clockwise by 90°."""

WEBP_OF_64_MEGAPIXELS = bytes.fromhex(
    "524946461a000000574542505650384c0d0000002f3fdfcf17071011118888fe0700"
)
"""34 bytes that claim 8000 x 8000 pixels, which the decoder would need 982 MiB for."""


def drawing() -> Image.Image:
    image = Image.new("RGB", SIZE, BLUE)
    image.paste(RED, (0, 0, SIZE[0] // 2, SIZE[1] // 2))
    return image


def exif(orientation: int) -> Image.Exif:
    """Return EXIF data as a phone writes it: location, maker and orientation."""
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    data[ExifTags.Base.Make] = "Phone maker"
    data.get_ifd(ExifTags.IFD.GPSInfo).update(
        {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0)}
    )
    return data


def saved(image_format: str, orientation: int = UNROTATED) -> bytes:
    """Return a file with a GPS location. Viewers show `drawing()`, whatever the orientation."""
    image = drawing()
    if orientation == ROTATED:
        image = image.transpose(Image.Transpose.ROTATE_90)
    file = BytesIO()
    image.save(file, image_format, exif=exif(orientation), quality=90)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def looks_like_the_drawing(data: bytes) -> bool:
    """Tell whether a viewer that follows the orientation shows the drawing."""
    image = ImageOps.exif_transpose(opened(data)).convert("RGB")
    corners = [image.getpixel(at) for at in ((4, 4), (image.width - 5, image.height - 5))]
    expected = (RED, BLUE)
    return image.size == SIZE and all(
        isinstance(seen, tuple) and all(abs(a - b) < 30 for a, b in zip(seen, colour, strict=True))
        for seen, colour in zip(corners, expected, strict=True)
    )


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of fewer than 200 bytes with a header that claims this width and height."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
