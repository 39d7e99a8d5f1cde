"""Photos of activities: the row in Postgres, the bytes in the bucket.

The bytes are put before the row is written and removed after it is gone, so that no row ever names
an object that is not there. What an interrupted request leaves in the bucket, no row names: a
nightly job finds it.
"""

from __future__ import annotations

from datetime import timedelta

from app.activities import pictures, statements
from app.activities.activity import ActivityId, Photo, PhotoId
from app.activities.recording import no_such_activity
from app.errors import Conflict, NotFound
from app.postgres.query import Queryable
from app.s3 import Bucket
from app.transaction import Transaction
from app.users.user import UserId

MOST = 20
"""Photos of one activity."""
URL_LIFE = timedelta(minutes=5)
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class Upload(Photo, frozen=True):
    """A photo whose bytes are in the bucket and whose row is not written yet."""

    size_bytes: int


async def put(
    db: Queryable, bucket: Bucket, user_id: UserId, activity_id: ActivityId, data: bytes
) -> Upload:
    """Check a picture, rid it of what it tells about its maker, and put it into the bucket.

    Not for use inside a transaction, since it waits for the bucket. `attach` comes next.

    Raises:
        Invalid: this is no picture that we take.
        NotFound: there is no such activity, it is deleted, or someone else's.
        Unavailable: the bucket does not answer.
    """
    photo_id = await statements.new_photo_id(db, activity_id, user_id)
    if photo_id is None:
        raise no_such_activity()
    picture = await pictures.clean(data)
    upload = Upload(photo_id, picture.content_type, len(picture.data))
    await bucket.put(key(user_id, upload), picture.data, upload.content_type)
    return upload


async def attach(
    tx: Transaction, user_id: UserId, activity_id: ActivityId, upload: Upload
) -> Photo:
    """Give an activity the photo that was put.

    Raises:
        Conflict: the activity has the most photos that it can have.
        NotFound: the activity was deleted meanwhile.
    """
    if await statements.lock_activity(tx, activity_id, user_id) is None:
        raise no_such_activity()
    photo = await statements.insert_photo(
        tx, upload.id, activity_id, user_id, upload.content_type, upload.size_bytes, MOST
    )
    if photo is None:
        raise Conflict(f"An activity has at most {MOST} photos.")
    return photo


async def url(db: Queryable, bucket: Bucket, user_id: UserId, photo_id: PhotoId) -> str:
    """A URL that shows the photo to whoever holds it, for five minutes.

    Raises:
        NotFound: there is no such photo, its activity is deleted, or it is someone else's.
    """
    photo = await statements.photo(db, photo_id, user_id)
    if photo is None:
        raise _no_such_photo()
    filename = f"{photo.id}.{ENDINGS[photo.content_type]}"
    return await bucket.presigned_url(
        key(user_id, photo), filename, expires=URL_LIFE, disposition="inline"
    )


async def delete(tx: Transaction, user_id: UserId, photo_id: PhotoId) -> Photo:
    """Remove the row. `discard` the bytes once that is committed.

    Raises:
        NotFound: there is no such photo, its activity is deleted, or it is someone else's.
    """
    photo = await statements.delete_photo(tx, photo_id, user_id)
    if photo is None:
        raise _no_such_photo()
    return photo


async def discard(bucket: Bucket, user_id: UserId, photo: Photo) -> None:
    """Remove the bytes of a deleted photo."""
    await bucket.discard(key(user_id, photo))


def key(user_id: UserId, photo: Photo) -> str:
    return f"photos/{user_id}/{photo.id}.{ENDINGS[photo.content_type]}"


def _no_such_photo() -> NotFound:
    return NotFound("There is no such photo.")
