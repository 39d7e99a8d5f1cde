"""Activity photos: their rows are in Postgres, and their bytes in the bucket.

The bytes are uploaded before the row is inserted, and removed after it is deleted, so that every
photo that can be seen has its object. An interrupted request can leave an object without a row; the
nightly cleanup removes it.
"""

from __future__ import annotations

from datetime import timedelta

from app import problems
from app.activities import statements
from app.activities.activities import no_such_activity
from app.activities.activity import ActivityId, Photo, PhotoId
from app.activities.pictures import Pictures
from app.errors import Conflict, NotFound
from app.postgres.database import Transaction
from app.postgres.statements import Queryable
from app.s3 import Bucket
from app.users.user import UserId

MAX_PHOTOS_PER_ACTIVITY = 20
URL_LIFETIME = timedelta(minutes=5)
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class Upload(Photo, frozen=True):
    """A photo whose bytes are in the bucket and whose row has not been inserted yet."""

    size_bytes: int


async def put(
    db: Queryable,
    bucket: Bucket,
    pictures: Pictures,
    user_id: UserId,
    activity_id: ActivityId,
    data: bytes,
    *,
    max_stored_bytes: int,
) -> Upload:
    """Check an image, remove its metadata and upload it to the bucket, for `attach` to add.

    Do not call this in a transaction, because it waits for the bucket.

    Args:
        max_stored_bytes: the maximum size of all the user's photos. Concurrent uploads can together
            exceed it.

    Raises:
        Busy: too many images are waiting to be checked.
        Conflict: the activity has the maximum number of photos, or the user's photos have the
            maximum size.
        Invalid: the data is not an image that we accept.
        NotFound: the activity does not exist, is deleted, or belongs to someone else.
        Unavailable: the bucket is unavailable.
    """
    room = await statements.room_for_photo(db, activity_id=activity_id, user_id=user_id)
    if room is None:
        raise no_such_activity()
    if room.photos >= MAX_PHOTOS_PER_ACTIVITY:
        raise _too_many_photos()
    if room.stored_bytes + len(data) > max_stored_bytes:
        raise Conflict(
            f"Your photos can take up at most {max_stored_bytes // 1_000_000:,} MB in total."
            " Delete some photos, then try again.",
            problem=problems.STORAGE_FULL,
        )
    picture = await pictures.clean(data)
    upload = Upload(room.photo_id, picture.content_type, len(picture.data))
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
        raise _too_many_photos()
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
    """Remove the bytes of a photo without a row from the bucket."""
    await bucket.discard(key(user_id, photo))


def key(user_id: UserId, photo: Photo) -> str:
    return f"photos/{user_id}/{photo.id}.{EXTENSIONS[photo.content_type]}"


def _too_many_photos() -> Conflict:
    return Conflict(
        f"An activity can have at most {MAX_PHOTOS_PER_ACTIVITY} photos.",
        problem=problems.TOO_MANY_PHOTOS,
    )


def _no_such_photo() -> NotFound:
    return NotFound("Photo not found.")
