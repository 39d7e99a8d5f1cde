"""Images are checked by content, and locations, names and other private metadata are removed."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from app.activities.photos import MAX_PHOTO_BYTES, clean
from app.errors import Invalid
from tests.activities import drawing

FORMATS = ("JPEG", "PNG", "WEBP")


@pytest.mark.parametrize("image_format", FORMATS)
async def test_location_is_removed_and_the_pixels_stay_the_same(image_format: str) -> None:
    given = drawing.saved(image_format)
    assert drawing.opened(given).getexif().get_ifd(ExifTags.IFD.GPSInfo)

    picture = await clean(given)

    assert picture.content_type == f"image/{image_format.lower()}"
    assert dict(drawing.opened(picture.data).getexif()) == {}
    assert b"Phone maker" not in picture.data
    assert drawing.opened(given).tobytes() == drawing.opened(picture.data).tobytes()


@pytest.mark.parametrize("image_format", FORMATS)
async def test_rotated_image_keeps_its_orientation(image_format: str) -> None:
    picture = await clean(drawing.saved(image_format, drawing.ROTATED))

    metadata = drawing.opened(picture.data).getexif()
    assert dict(metadata) == {ExifTags.Base.Orientation: drawing.ROTATED}
    assert not metadata.get_ifd(ExifTags.IFD.GPSInfo)
    assert drawing.looks_like_the_drawing(picture.data)


async def test_data_appended_to_a_jpeg_is_removed() -> None:
    """Phones append videos and second images, which contain locations of their own."""
    first, second = BytesIO(), drawing.drawing()
    drawing.drawing().save(first, "MPO", save_all=True, append_images=[second])
    appended = first.getvalue() + b"a video with a location"

    picture = await clean(appended)

    assert picture.content_type == "image/jpeg"
    assert picture.data.count(b"\xff\xd8\xff") == 1
    assert picture.data.endswith(b"\xff\xd9")
    assert drawing.looks_like_the_drawing(picture.data)


async def test_thumbnail_in_the_jfif_segment_is_removed() -> None:
    file = BytesIO()
    drawing.drawing().save(file, "JPEG")
    start, segment, rest = file.getvalue()[:4], file.getvalue()[6:20], file.getvalue()[20:]
    assert segment.startswith(b"JFIF\0")
    thumbnail = b"RGB" * 16 * 16
    length = (16 + len(thumbnail)).to_bytes(2, "big")
    given = start + length + segment[:12] + bytes([16, 16]) + thumbnail + rest
    assert drawing.looks_like_the_drawing(given)

    picture = await clean(given)

    assert thumbnail not in picture.data
    assert picture.data[:20] == file.getvalue()[:20]
    assert drawing.looks_like_the_drawing(picture.data)


async def test_progressive_jpeg_keeps_all_its_scans_and_its_colour_profile() -> None:
    file = BytesIO()
    drawing.drawing().save(file, "JPEG", progressive=True, icc_profile=b"profile" * 20_000)

    picture = await clean(file.getvalue())

    seen, given = drawing.opened(picture.data), drawing.opened(file.getvalue())
    assert given.info["icc_profile"] == seen.info["icc_profile"]
    assert given.tobytes() == seen.tobytes()


async def test_text_chunks_of_a_png_are_removed() -> None:
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Author", "somebody")
    metadata.add_itxt("XML:com.adobe.xmp", "<exif:GPSLatitude>52,31N</exif:GPSLatitude>")
    file = BytesIO()
    drawing.drawing().save(file, "PNG", pnginfo=metadata)

    picture = await clean(file.getvalue())

    assert b"somebody" not in picture.data
    assert b"GPS" not in picture.data


@pytest.mark.parametrize("image_format", FORMATS)
async def test_xmp_is_removed(image_format: str) -> None:
    file = BytesIO()
    drawing.drawing().save(file, image_format, xmp=b"<x:xmpmeta>GPSLatitude</x:xmpmeta>")

    picture = await clean(file.getvalue())

    assert b"GPSLatitude" not in picture.data
    assert drawing.looks_like_the_drawing(picture.data)


async def test_animated_webp_keeps_its_frames() -> None:
    frames = [drawing.drawing(), Image.new("RGB", drawing.SIZE, drawing.BLUE)]
    file = BytesIO()
    frames[0].save(
        file, "WEBP", save_all=True, append_images=frames[1:], exif=drawing.exif(drawing.UNROTATED)
    )

    picture = await clean(file.getvalue())

    assert b"Phone maker" not in picture.data
    assert getattr(drawing.opened(picture.data), "n_frames", 1) == len(frames)


@pytest.mark.parametrize(("width", "height"), [(9_000, 9_000), (12_000, 12_000), (50_000, 50_000)])
async def test_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    await assert_refused(drawing.bomb(width, height), "64 million pixels")


async def test_unsupported_formats_and_damaged_files_are_refused() -> None:
    gif = BytesIO()
    drawing.drawing().save(gif, "GIF")
    for data in (b"", b"just text", gif.getvalue(), b"%PDF-1.7", b"\xff\xd8", b"RIFF\0\0\0\0WEBP"):
        await assert_refused(data, "not a JPEG, PNG or WebP|damaged")


@pytest.mark.parametrize("image_format", FORMATS)
async def test_truncated_image_is_refused(image_format: str) -> None:
    whole = drawing.saved(image_format)
    for share in (0.3, 0.6, 0.9, 0.99):
        await assert_refused(whole[: int(len(whole) * share)], "not a JPEG, PNG or WebP|damaged")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about damaged EXIF
@pytest.mark.parametrize("image_format", FORMATS)
async def test_damaged_image_is_refused_or_its_metadata_is_removed(image_format: str) -> None:
    """Damage one byte at a time: each of the first 400."""
    whole = drawing.saved(image_format, drawing.ROTATED)
    for at in range(min(len(whole), 400)):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            picture = await clean(damaged)
        except Invalid:
            continue
        assert b"Phone maker" not in picture.data


async def test_photo_over_10_mb_is_refused() -> None:
    await assert_refused(drawing.saved("JPEG") + b"\0" * MAX_PHOTO_BYTES, "10 MB")


async def assert_refused(data: bytes, why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await clean(data)
    assert refusal.value.field == "photo"
    assert re.search(why, refusal.value.detail)
