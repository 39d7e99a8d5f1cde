"""Activity photos: their rows are in Postgres, and their bytes in the bucket.

The bytes are uploaded before the row is inserted, and removed after it is deleted, so that every
photo that can be seen has its object. An interrupted request can leave an object without a row; the
nightly cleanup removes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from typing import NamedTuple

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from app.activities import metadata, statements
from app.activities.activities import no_such_activity
from app.activities.activity import ActivityId, Photo, PhotoId
from app.errors import Conflict, Invalid, NotFound
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.s3 import Bucket
from app.users.user import UserId

MAX_PHOTO_BYTES = 10_000_000
MAX_PHOTO_PIXELS = 64_000_000
"""A decoded pixel takes four bytes. The largest phone photos under 10 MB have 50 million pixels."""

FORMATS: Mapping[str, metadata.Format] = {
    "JPEG": "JPEG",
    "MPO": "JPEG",  # a JPEG followed by more images, which some phones produce
    "PNG": "PNG",
    "WEBP": "WEBP",
}

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="picture")
# Two threads limit the memory for all decoded images; MAX_PHOTO_PIXELS limits it for each image.


class Picture(NamedTuple):
    """An image without metadata, ready to store."""

    content_type: str
    data: bytes


async def clean(data: bytes) -> Picture:
    """Return the same image, pixel for pixel, without locations, times, names or thumbnails.

    Of its EXIF data, only the orientation is kept.

    Raises:
        Invalid: the data is damaged or not a JPEG, PNG or WebP image, or has too many bytes or
            pixels.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _clean, data)


def _clean(data: bytes) -> Picture:
    if len(data) > MAX_PHOTO_BYTES:
        raise _invalid(f"A photo can be at most {MAX_PHOTO_BYTES // 1_000_000} MB.")
    try:
        image_format, orientation = _examine(data)
        cleaned = metadata.strip(data, image_format, orientation)
        _decode(cleaned)
    except UnidentifiedImageError as error:
        raise _invalid("This is not a JPEG, PNG or WebP image.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # the file is damaged
        raise _invalid("This image is damaged.") from error
    return Picture(f"image/{image_format.lower()}", cleaned)


def _examine(data: bytes) -> tuple[metadata.Format, int]:
    """Return the format and orientation from the header, without decoding the image."""
    with _open(data) as image:
        if image.width * image.height > MAX_PHOTO_PIXELS:
            raise _too_many_pixels()
        orientation = image.getexif().get(ExifTags.Base.Orientation, metadata.UPRIGHT)
        image_format = FORMATS[image.format or ""]
        return image_format, orientation if orientation in range(1, 9) else metadata.UPRIGHT


def _decode(data: bytes) -> None:
    """Decode the image, so that Pillow raises an error if pixels are damaged or missing."""
    with _open(data) as image:
        image.draft(None, (image.width // 8, image.height // 8))  # cheaper: JPEG at 1/8 scale
        image.load()


def _open(data: bytes) -> ImageFile.ImageFile:
    return Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP"))


def _too_many_pixels() -> Invalid:
    return _invalid(f"A photo can have at most {MAX_PHOTO_PIXELS // 1_000_000} million pixels.")


def _invalid(detail: str) -> Invalid:
    return Invalid(detail, field="photo")


MAX_PHOTOS_PER_ACTIVITY = 20
URL_LIFETIME = timedelta(minutes=5)
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class Upload(Photo, frozen=True):
    """A photo whose bytes are in the bucket and whose row has not been inserted yet."""

    size_bytes: int


async def put(
    db: Queryable, bucket: Bucket, user_id: UserId, activity_id: ActivityId, data: bytes
) -> Upload:
    """Check an image, remove its metadata and upload it to the bucket, for `attach` to add.

    Do not call this in a transaction, because it waits for the bucket.

    Raises:
        Invalid: the data is not an image that we accept.
        NotFound: the activity does not exist, is deleted, or belongs to someone else.
        Unavailable: the bucket is unavailable.
    """
    photo_id = await statements.new_photo_id(db, activity_id=activity_id, user_id=user_id)
    if photo_id is None:
        raise no_such_activity()
    picture = await clean(data)
    upload = Upload(photo_id, picture.content_type, len(picture.data))
    await bucket.put(key(user_id, upload), picture.data, upload.content_type)
    return upload


async def attach(
    tx: Transaction, user_id: UserId, activity_id: ActivityId, upload: Upload
) -> Photo:
    """Add an uploaded photo to its activity.

    Raises:
        Conflict: the activity already has the maximum number of photos.
        NotFound: the activity has been deleted in the meantime.
    """
    if await statements.lock_activity(tx, activity_id=activity_id, user_id=user_id) is None:
        raise no_such_activity()
    photo = await statements.insert_photo(
        tx,
        photo_id=upload.id,
        activity_id=activity_id,
        user_id=user_id,
        content_type=upload.content_type,
        size_bytes=upload.size_bytes,
        max_photos=MAX_PHOTOS_PER_ACTIVITY,
    )
    if photo is None:
        raise Conflict(f"An activity can have at most {MAX_PHOTOS_PER_ACTIVITY} photos.")
    return photo


async def url(db: Queryable, bucket: Bucket, user_id: UserId, photo_id: PhotoId) -> str:
    """Return a URL, valid for five minutes, that shows the photo to anyone who has the URL.

    Raises:
        NotFound: the photo does not exist, belongs to someone else, or its activity is deleted.
    """
    photo = await statements.photo(db, photo_id=photo_id, user_id=user_id)
    if photo is None:
        raise _no_such_photo()
    filename = f"{photo.id}.{EXTENSIONS[photo.content_type]}"
    return await bucket.presigned_url(
        key(user_id, photo), filename, expires=URL_LIFETIME, disposition="inline"
    )


async def delete(tx: Transaction, user_id: UserId, photo_id: PhotoId) -> Photo:
    """Delete a photo's row. The caller must `discard` its bytes after the commit.

    Raises:
        NotFound: the photo does not exist, belongs to someone else, or its activity is deleted.
    """
    photo = await statements.delete_photo(tx, photo_id=photo_id, user_id=user_id)
    if photo is None:
        raise _no_such_photo()
    return photo


async def discard(bucket: Bucket, user_id: UserId, photo: Photo) -> None:
    """Remove a deleted photo's bytes from the bucket."""
    await bucket.discard(key(user_id, photo))


def key(user_id: UserId, photo: Photo) -> str:
    return f"photos/{user_id}/{photo.id}.{EXTENSIONS[photo.content_type]}"


def _no_such_photo() -> NotFound:
    return NotFound("Photo not found.")
