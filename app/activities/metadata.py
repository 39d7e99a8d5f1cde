"""Removing metadata from image files, block by block. Pixel data is copied unchanged.

Blocks that can contain metadata are kept only if they are listed here. EXIF, XMP, IPTC, comments,
thumbnails and anything appended to the image are removed. See https://www.w3.org/TR/png-3/,
RFC 9649 (WebP) and ITU-T T.81 (JPEG).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Literal

Format = Literal["JPEG", "PNG", "WEBP"]

UPRIGHT = 1
"""The EXIF orientation of an image that needs no rotation."""

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_SCAN = 0xDA
JFIF = 0xE0
JPEG_KEPT = {JFIF: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""The application segments that say how to decode the pixels, with their first bytes."""
JPEG_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
"""A marker that ends a scan's data; stuffed bytes and restart markers do not."""

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = set(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD pHYs sPLT hIST"
    b" acTL fcTL fdAT".split()
)
WEBP_KEPT = {b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
WEBP_HAS_EXIF, WEBP_HAS_XMP = 0x08, 0x04


def strip(data: bytes, format: Format, orientation: int) -> bytes:
    """Return the file without its metadata.

    An orientation other than upright is kept, as the only entry of a new EXIF block.

    Raises:
        ValueError: the file is malformed.
    """
    exif = b"" if orientation == UPRIGHT else _exif(orientation)
    try:
        match format:
            case "JPEG":
                return b"".join(_jpeg(data, exif))
            case "PNG":
                return b"".join(_png(data, exif))
            case "WEBP":
                return _webp(data, exif)
    except (IndexError, struct.error) as error:
        raise ValueError("the file ends too early") from error


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in a WebP file's first chunk; None for files of other formats.

    Pillow allocates memory for all pixels when it opens a WebP, so it cannot be asked for the size.

    Raises:
        ValueError: the file is malformed.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    name, content = data[12:16], data[20:30]
    if len(content) < 10:
        raise ValueError("the file ends too early")
    match name:
        case b"VP8X":
            return _uint24(content, 4) + 1, _uint24(content, 7) + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", content, 1)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", content, 6)
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("the first chunk is not an image")


def _uint24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _exif(orientation: int) -> bytes:
    """Return a TIFF header and a directory with one entry: the orientation, as a SHORT."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _jpeg(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield JPEG_START
    if exif:
        yield struct.pack(">BBH6s", 0xFF, 0xE1, len(exif) + 8, b"Exif\0\0") + exif
    offset = len(JPEG_START)
    while True:
        if data[offset] != 0xFF:
            raise ValueError("a segment does not start with a marker")
        marker = data[offset + 1]
        if marker == 0xFF:  # padding
            offset += 1
            continue
        if marker == JPEG_END[1]:
            yield JPEG_END
            return
        (length,) = struct.unpack_from(">H", data, offset + 2)
        end = offset + 2 + length
        if marker == JPEG_SCAN:
            following = JPEG_AFTER_SCAN.search(data, end)
            end = following.start() if following else len(data)
        if _is_kept(marker, data[offset + 4 : offset + 16]):
            yield data[offset:end] if marker != JFIF else _without_thumbnail(data[offset:end])
        offset = end


def _without_thumbnail(segment: bytes) -> bytes:
    """Return a JFIF segment without its thumbnail: the last two bytes give its size as 0 x 0."""
    header = segment[4:16].ljust(12, b"\0")
    return struct.pack(">BBH12sBB", 0xFF, JFIF, 16, header, 0, 0)


def _is_kept(marker: int, start: bytes) -> bool:
    is_application_or_comment = 0xE0 <= marker <= 0xEF or marker == 0xFE
    return not is_application_or_comment or (
        marker in JPEG_KEPT and start.startswith(JPEG_KEPT[marker])
    )


def _png(data: bytes, exif: bytes) -> Iterator[bytes]:
    yield PNG_START
    offset, name = len(PNG_START), b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if end > len(data):
            raise ValueError("a chunk extends past the end of the file")
        if name in PNG_KEPT:
            yield data[offset:end]
        if name == b"IHDR" and exif:
            chunk = b"eXIf" + exif
            yield struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        offset = end


def _webp(data: bytes, exif: bytes) -> bytes:
    chunks = [data[offset:end] for name, offset, end in _riff(data) if name in WEBP_KEPT]
    if chunks and chunks[0].startswith(b"VP8X"):
        flags = chunks[0][8] & ~(WEBP_HAS_EXIF | WEBP_HAS_XMP) | (WEBP_HAS_EXIF if exif else 0)
        chunks[0] = chunks[0][:8] + bytes([flags]) + chunks[0][9:]
    if exif:
        chunks.append(struct.pack("<4sI", b"EXIF", len(exif)) + exif)
    body = b"WEBP" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _riff(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, start and end of each chunk. A chunk of odd length has a byte of padding."""
    (size,) = struct.unpack_from("<I", data, 4)
    offset, last = 12, min(8 + size, len(data))
    while offset < last:
        name, length = struct.unpack_from("<4sI", data, offset)
        end = offset + 8 + length + length % 2
        yield name, offset, end
        offset = end
