"""Images are checked by content, and locations, names and other private metadata are removed."""

from __future__ import annotations

import asyncio
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from app.activities import metadata
from app.activities.picture_process import Refused, clean
from app.activities.pictures import MAX_PHOTO_BYTES, PictureLimits, Pictures
from app.errors import Busy, Invalid
from tests.activities import drawing
from tests.support.working import until

FORMATS = ("JPEG", "PNG", "WEBP")


@pytest.mark.parametrize("image_format", FORMATS)
def test_location_is_removed_and_the_pixels_stay_the_same(image_format: str) -> None:
    given = drawing.saved(image_format)
    assert drawing.opened(given).getexif().get_ifd(ExifTags.IFD.GPSInfo)

    picture = clean(given)

    assert picture.content_type == f"image/{image_format.lower()}"
    assert dict(drawing.opened(picture.data).getexif()) == {}
    assert b"Phone maker" not in picture.data
    assert drawing.opened(given).tobytes() == drawing.opened(picture.data).tobytes()


@pytest.mark.parametrize("image_format", FORMATS)
def test_rotated_image_keeps_its_orientation(image_format: str) -> None:
    picture = clean(drawing.saved(image_format, drawing.ROTATED))

    metadata = drawing.opened(picture.data).getexif()
    assert dict(metadata) == {ExifTags.Base.Orientation: drawing.ROTATED}
    assert not metadata.get_ifd(ExifTags.IFD.GPSInfo)
    assert drawing.looks_like_the_drawing(picture.data)


def test_data_appended_to_a_jpeg_is_removed() -> None:
    """Phones append videos and second images, which contain locations of their own."""
    first, second = BytesIO(), drawing.drawing()
    drawing.drawing().save(first, "MPO", save_all=True, append_images=[second])
    appended = first.getvalue() + b"a video with a location"

    picture = clean(appended)

    assert picture.content_type == "image/jpeg"
    assert picture.data.count(b"\xff\xd8\xff") == 1
    assert picture.data.endswith(b"\xff\xd9")
    assert drawing.looks_like_the_drawing(picture.data)


def test_thumbnail_in_the_jfif_segment_is_removed() -> None:
    file = BytesIO()
    drawing.drawing().save(file, "JPEG")
    start, segment, rest = file.getvalue()[:4], file.getvalue()[6:20], file.getvalue()[20:]
    assert segment.startswith(b"JFIF\0")
    thumbnail = b"RGB" * 16 * 16
    length = (16 + len(thumbnail)).to_bytes(2, "big")
    given = start + length + segment[:12] + bytes([16, 16]) + thumbnail + rest
    assert drawing.looks_like_the_drawing(given)

    picture = clean(given)

    assert thumbnail not in picture.data
    assert picture.data[:20] == file.getvalue()[:20]
    assert drawing.looks_like_the_drawing(picture.data)


def test_progressive_jpeg_keeps_all_its_scans_and_its_colour_profile() -> None:
    file = BytesIO()
    drawing.drawing().save(file, "JPEG", progressive=True, icc_profile=b"profile" * 20_000)

    picture = clean(file.getvalue())

    seen, given = drawing.opened(picture.data), drawing.opened(file.getvalue())
    assert given.info["icc_profile"] == seen.info["icc_profile"]
    assert given.tobytes() == seen.tobytes()


def test_text_chunks_of_a_png_are_removed() -> None:
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Author", "somebody")
    metadata.add_itxt("XML:com.adobe.xmp", "<exif:GPSLatitude>52,31N</exif:GPSLatitude>")
    file = BytesIO()
    drawing.drawing().save(file, "PNG", pnginfo=metadata)

    picture = clean(file.getvalue())

    assert b"somebody" not in picture.data
    assert b"GPS" not in picture.data


@pytest.mark.parametrize("image_format", FORMATS)
def test_xmp_is_removed(image_format: str) -> None:
    file = BytesIO()
    drawing.drawing().save(file, image_format, xmp=b"<x:xmpmeta>GPSLatitude</x:xmpmeta>")

    picture = clean(file.getvalue())

    assert b"GPSLatitude" not in picture.data
    assert drawing.looks_like_the_drawing(picture.data)


def test_animated_webp_keeps_its_frames() -> None:
    frames = [drawing.drawing(), Image.new("RGB", drawing.SIZE, drawing.BLUE)]
    file = BytesIO()
    frames[0].save(
        file, "WEBP", save_all=True, append_images=frames[1:], exif=drawing.exif(drawing.UNROTATED)
    )

    picture = clean(file.getvalue())

    assert b"Phone maker" not in picture.data
    assert getattr(drawing.opened(picture.data), "n_frames", 1) == len(frames)


@pytest.mark.parametrize(("width", "height"), [(7_000, 7_000), (12_000, 12_000), (50_000, 50_000)])
def test_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    assert_refused(drawing.bomb(width, height), "at most (48|64) million pixels")


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 60}, {"exif": b"Exif"}])
def test_size_of_a_webp_is_read_from_its_header(options: dict[str, Any]) -> None:
    file = BytesIO()
    Image.new("RGB", (300, 1700)).save(file, "WEBP", **options)

    assert metadata.webp_size(file.getvalue()) == (300, 1700)
    assert metadata.webp_size(file.getvalue()[:11]) is None
    with pytest.raises(ValueError, match="too early"):
        metadata.webp_size(file.getvalue()[:29])


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (7, 100), (100, 7), (1, 65_000)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_tiny_and_narrow_images_are_accepted(image_format: str, size: tuple[int, int]) -> None:
    file = BytesIO()
    Image.new("RGB", size).save(file, image_format)

    assert drawing.opened(clean(file.getvalue()).data).size == size


def test_unsupported_formats_and_damaged_files_are_refused() -> None:
    gif = BytesIO()
    drawing.drawing().save(gif, "GIF")
    for data in (b"", b"just text", gif.getvalue(), b"%PDF-1.7", b"\xff\xd8", b"RIFF\0\0\0\0WEBP"):
        assert_refused(data, "not a JPEG, PNG or WebP|damaged")


@pytest.mark.parametrize("image_format", FORMATS)
def test_truncated_image_is_refused(image_format: str) -> None:
    whole = drawing.saved(image_format)
    for share in (0.3, 0.6, 0.9, 0.99):
        assert_refused(whole[: int(len(whole) * share)], "not a JPEG, PNG or WebP|damaged")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about damaged EXIF
@pytest.mark.parametrize("image_format", FORMATS)
def test_damaged_image_is_refused_or_its_metadata_is_removed(image_format: str) -> None:
    """Damage one byte at a time: each of the first 400."""
    whole = drawing.saved(image_format, drawing.ROTATED)
    for at in range(min(len(whole), 400)):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            picture = clean(damaged)
        except Refused:
            continue
        assert b"Phone maker" not in picture.data


def assert_refused(data: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        clean(data)


async def test_photo_over_10_mb_is_refused_without_starting_a_process() -> None:
    with pytest.raises(Invalid, match="10 MB") as refusal:
        await Pictures().clean(drawing.saved("JPEG") + b"\0" * MAX_PHOTO_BYTES)
    assert refusal.value.field == "photo"


async def test_picture_process_cleans_an_image_and_says_why_it_refuses_one() -> None:
    pictures = Pictures()
    given = drawing.saved("WEBP")

    assert await pictures.clean(given) == clean(given)
    with pytest.raises(Invalid, match="not a JPEG, PNG or WebP image"):
        await pictures.clean(b"just text")
    with pytest.raises(Invalid, match="at most 12 million pixels"):
        await pictures.clean(drawing.WEBP_OF_64_MEGAPIXELS)


@pytest.mark.parametrize(
    "limits", [PictureLimits(memory_bytes=64 * 1024 * 1024), PictureLimits(timeout_s=0.01)]
)
async def test_image_that_exceeds_a_limit_of_the_process_is_refused(limits: PictureLimits) -> None:
    file = BytesIO()
    Image.new("RGB", (6_000, 4_000)).save(file, "PNG")

    with pytest.raises(Invalid, match="too much memory or time"):
        await Pictures(limits).clean(file.getvalue())


async def test_only_a_few_images_are_held_at_a_time() -> None:
    pictures = Pictures(PictureLimits(max_held=2))
    results = await asyncio.gather(
        *(pictures.clean(drawing.saved("JPEG")) for _ in range(4)), return_exceptions=True
    )
    assert [Busy, Busy] == [type(result) for result in results if isinstance(result, Exception)]


async def test_picture_process_is_killed_when_its_request_is_cancelled() -> None:
    pictures = Pictures()
    file = BytesIO()
    Image.new("RGB", (6_000, 4_000)).save(file, "PNG")
    cleaning = asyncio.create_task(pictures.clean(file.getvalue()))
    await until(lambda: bool(picture_processes()))

    cleaning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cleaning

    assert not picture_processes()
    assert (await pictures.clean(drawing.saved("PNG"))).content_type == "image/png"


def picture_processes() -> list[str]:
    """Return the command lines of this test's picture processes."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children]
    return [command for command in commands if "picture_process" in command]
