"""Pictures are checked by content and rid of what they tell about their maker."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from app.activities.photos import MAX_PHOTO_BYTES, clean
from app.errors import Invalid
from tests.activities import drawing

KINDS = ("JPEG", "PNG", "WEBP")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_position_is_gone_and_the_pixels_are_the_same(kind: str) -> None:
    given = drawing.saved(kind)
    assert drawing.opened(given).getexif().get_ifd(ExifTags.IFD.GPSInfo)

    picture = await clean(given)

    assert picture.content_type == f"image/{kind.lower()}"
    assert dict(drawing.opened(picture.data).getexif()) == {}
    assert b"Maker of phones" not in picture.data
    assert drawing.opened(given).tobytes() == drawing.opened(picture.data).tobytes()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_rotated_picture_is_still_upright(kind: str) -> None:
    picture = await clean(drawing.saved(kind, drawing.ROTATED))

    told = drawing.opened(picture.data).getexif()
    assert dict(told) == {ExifTags.Base.Orientation: drawing.ROTATED}
    assert not told.get_ifd(ExifTags.IFD.GPSInfo)
    assert drawing.looks_like_the_drawing(picture.data)


async def test_what_is_appended_to_a_jpeg_is_cut_off() -> None:
    """Phones append films and second pictures, which bear positions of their own."""
    first, second = BytesIO(), drawing.drawing()
    drawing.drawing().save(first, "MPO", save_all=True, append_images=[second])
    appended = first.getvalue() + b"a film with a position"

    picture = await clean(appended)

    assert picture.content_type == "image/jpeg"
    assert picture.data.count(b"\xff\xd8\xff") == 1
    assert picture.data.endswith(b"\xff\xd9")
    assert drawing.looks_like_the_drawing(picture.data)


async def test_a_progressive_jpeg_keeps_all_its_scans_and_its_colour_profile() -> None:
    file = BytesIO()
    drawing.drawing().save(file, "JPEG", progressive=True, icc_profile=b"profile" * 20_000)

    picture = await clean(file.getvalue())

    seen, given = drawing.opened(picture.data), drawing.opened(file.getvalue())
    assert given.info["icc_profile"] == seen.info["icc_profile"]
    assert given.tobytes() == seen.tobytes()


async def test_text_in_a_png_is_gone() -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", "somebody")
    told.add_itxt("XML:com.adobe.xmp", "<exif:GPSLatitude>52,31N</exif:GPSLatitude>")
    file = BytesIO()
    drawing.drawing().save(file, "PNG", pnginfo=told)

    picture = await clean(file.getvalue())

    assert b"somebody" not in picture.data
    assert b"GPS" not in picture.data


@pytest.mark.parametrize("kind", KINDS)
async def test_xmp_is_gone(kind: str) -> None:
    file = BytesIO()
    drawing.drawing().save(file, kind, xmp=b"<x:xmpmeta>GPSLatitude</x:xmpmeta>")

    picture = await clean(file.getvalue())

    assert b"GPSLatitude" not in picture.data
    assert drawing.looks_like_the_drawing(picture.data)


async def test_a_moving_webp_still_moves() -> None:
    frames = [drawing.drawing(), Image.new("RGB", drawing.SIZE, drawing.BLUE)]
    file = BytesIO()
    frames[0].save(
        file, "WEBP", save_all=True, append_images=frames[1:], exif=drawing.exif(drawing.UPRIGHT)
    )

    picture = await clean(file.getvalue())

    assert b"Maker of phones" not in picture.data
    assert getattr(drawing.opened(picture.data), "n_frames", 1) == len(frames)


@pytest.mark.parametrize(("width", "height"), [(9_000, 9_000), (12_000, 12_000), (50_000, 50_000)])
async def test_a_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    await refused(drawing.bomb(width, height), "64 million pixels")


async def test_other_files_are_refused_whatever_their_name() -> None:
    gif = BytesIO()
    drawing.drawing().save(gif, "GIF")
    for data in (b"", b"just text", gif.getvalue(), b"%PDF-1.7", b"\xff\xd8", b"RIFF\0\0\0\0WEBP"):
        await refused(data, "not a JPEG, PNG or WebP|damaged")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cut_picture_is_refused(kind: str) -> None:
    whole = drawing.saved(kind)
    for share in (0.3, 0.6, 0.9, 0.99):
        await refused(whole[: int(len(whole) * share)], "not a JPEG, PNG or WebP|damaged")


@pytest.mark.filterwarnings("ignore::UserWarning")  # by which Pillow tells of damaged EXIF
@pytest.mark.parametrize("kind", KINDS)
async def test_no_damage_does_more_than_refuse(kind: str) -> None:
    """Every byte of the beginning of a file, spoilt one at a time."""
    whole = drawing.saved(kind, drawing.ROTATED)
    for at in range(min(len(whole), 400)):
        spoilt = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            picture = await clean(spoilt)
        except Invalid:
            continue
        assert b"Maker of phones" not in picture.data


async def test_more_than_ten_megabytes_are_refused() -> None:
    await refused(drawing.saved("JPEG") + b"\0" * MAX_PHOTO_BYTES, "10 MB")


async def refused(data: bytes, why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await clean(data)
    assert refusal.value.field == "photo"
    assert re.search(why, refusal.value.detail)
