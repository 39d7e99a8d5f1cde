"""The routes under `/photos`, and `/activities/{id}/photos`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect
from msgspec import Struct

from app.activities import photos
from app.activities.activity import ActivityId, PhotoId
from app.activities.pictures import Pictures
from app.api.idempotency import IdempotentCreation
from app.postgres.database import Database, Transaction
from app.s3 import Bucket
from app.settings import Settings
from app.users.user import Me

MAX_BODY_BYTES = 11_000_000
"""The maximum size of a photo plus its multipart envelope."""
LOCATION = "/api/v1/photos/{id}"


class PhotoForm(Struct, frozen=True, forbid_unknown_fields=True):
    photo: UploadFile


class PhotoResponse(Struct, frozen=True):
    """A photo. Its URL requires the owner's token and redirects to the file."""

    id: PhotoId
    url: str


def photo_response(photo_id: PhotoId) -> PhotoResponse:
    return PhotoResponse(photo_id, f"/api/v1/photos/{photo_id}")


@post("/{activity_id:uuid}/photos", request_max_body_size=MAX_BODY_BYTES, operation_id="addPhoto")
async def add_photo(
    activity_id: FromPath[UUID],
    data: Annotated[PhotoForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
    pictures: NamedDependency[Pictures],
    settings: NamedDependency[Settings],
    create_once: NamedDependency[IdempotentCreation],
) -> Response[PhotoResponse]:
    """Add a photo: JPEG, PNG or WebP, up to 10 MB.

    Its location and other EXIF data are removed, except the orientation.
    A JPEG can have up to 64 million pixels, a PNG 48 million, a WebP 12 million. 409 if the
    activity already has 20 photos, or if your photos have reached the maximum size.
    """
    content = await data.photo.read()
    if repeated := await create_once.replay(location=LOCATION, content=content):
        return repeated
    upload = await photos.put(
        database,
        bucket,
        pictures,
        me.id,
        ActivityId(activity_id),
        content,
        max_stored_bytes=settings.bucket.person_storage_bytes,
    )
    attached = False

    async def create(tx: Transaction) -> PhotoResponse:
        nonlocal attached
        photo = await photos.attach(tx, me.id, ActivityId(activity_id), upload)
        attached = True  # even if the commit fails: it may have succeeded
        return photo_response(photo.id)

    try:
        return await create_once(create, location=LOCATION, content=content)
    finally:
        if not attached:
            await photos.discard(bucket, me.id, upload)


@get("/{photo_id:uuid}", status_code=302, operation_id="showPhoto")
async def show_photo(
    photo_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Redirect:
    """Get a photo.

    Redirects to a URL that works for five minutes without a token.
    """
    url = await photos.url(database, bucket, me.id, PhotoId(photo_id))
    return Redirect(url, status_code=302)


@delete("/{photo_id:uuid}", operation_id="deletePhoto")
async def delete_photo(
    photo_id: FromPath[UUID],
    me: NamedDependency[Me],
    database: NamedDependency[Database],
    bucket: NamedDependency[Bucket],
) -> Response[None]:
    """Delete a photo. Its file is removed after the response."""
    async with database.transaction() as tx:
        photo = await photos.delete(tx, me.id, PhotoId(photo_id))
    discard = BackgroundTask(photos.discard, bucket, me.id, photo)
    return Response(None, status_code=204, background=discard)


router = Router("/photos", route_handlers=[show_photo, delete_photo], tags=["activities"])
