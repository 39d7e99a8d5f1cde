"""Photos over HTTP, with a real bucket."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from app.activities import photos, statements
from app.activities.activity import PhotoId
from app.api.application import create_app
from app.errors import NotFound
from app.postgres.database import Database
from app.resources import Resources
from app.s3 import Bucket, open_bucket
from app.settings import Settings
from tests.activities import drawing
from tests.support.http import anonymous_client
from tests.support.people import Person, person

pytestmark = pytest.mark.usefixtures("in_november")

RUN = {"type": "run", "started_at": "2026-11-21T07:30:00Z", "duration_s": 2700}


@pytest.fixture
async def kim(database: Database) -> Person:
    return await person(database, "kim")


@pytest.fixture
async def sam(database: Database) -> Person:
    return await person(database, "sam")


@pytest.fixture
async def run(api: httpx.AsyncClient, kim: Person) -> str:
    """The path of one of Kim's activities."""
    created = await api.post("/api/v1/activities", json=RUN, headers=kim.headers)
    return f"/api/v1/activities/{created.json()['id']}"


async def upload(
    api: httpx.AsyncClient, user: Person, run: str, data: bytes, **headers: str
) -> httpx.Response:
    files = {"photo": ("photo.jpg", BytesIO(data), "image/jpeg")}
    return await api.post(f"{run}/photos", files=files, headers={**user.headers, **headers})


async def key_of(database: Database, user: Person, photo_id: str) -> str:
    photo = await statements.photo(database, photo_id=PhotoId(UUID(photo_id)), user_id=user.id)
    assert photo is not None
    return photos.key(user.id, photo)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
async def test_photo_is_stored_without_camera_metadata_and_shown_upright(
    api: httpx.AsyncClient, kim: Person, run: str, image_format: str
) -> None:
    created = await upload(api, kim, run, drawing.saved(image_format, drawing.ROTATED))
    redirect = await api.get(created.json()["url"], headers=kim.headers)
    async with anonymous_client() as somebody_else:
        file = await somebody_else.get(redirect.headers["Location"])

    assert (created.status_code, redirect.status_code, file.status_code) == (201, 302, 200)
    assert file.headers["Content-Type"] == f"image/{image_format.lower()}"
    assert file.headers["Content-Disposition"].startswith("inline; filename=")
    assert b"Phone maker" not in file.content
    assert drawing.looks_like_the_drawing(file.content)


async def test_photos_are_listed_with_their_activity(
    api: httpx.AsyncClient, kim: Person, run: str
) -> None:
    created = [(await upload(api, kim, run, drawing.saved("PNG"))).json() for _ in range(2)]

    read = await api.get(run, headers=kim.headers)
    changed = await api.patch(run, json={"notes": "with photos"}, headers=kim.headers)
    listed = await api.get("/api/v1/activities", headers=kim.headers)

    assert read.json()["photos"] == created
    assert changed.json()["photos"] == created
    assert [item["photos"] for item in listed.json()["items"]] == [created]


async def test_deleted_photo_is_removed_from_the_bucket(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, kim: Person, run: str
) -> None:
    photo = (await upload(api, kim, run, drawing.saved("PNG"))).json()
    key = await key_of(database, kim, photo["id"])
    await bucket.head(key)

    response = await api.delete(photo["url"], headers=kim.headers)

    assert response.status_code == 204
    assert (await api.get(photo["url"], headers=kim.headers)).status_code == 404
    assert (await api.delete(photo["url"], headers=kim.headers)).status_code == 404
    assert (await api.get(run, headers=kim.headers)).json()["photos"] == []
    with pytest.raises(NotFound):
        await bucket.head(key)


async def test_photo_of_another_user_is_not_found(
    api: httpx.AsyncClient, database: Database, kim: Person, sam: Person, run: str
) -> None:
    photo = (await upload(api, kim, run, drawing.saved("PNG"))).json()

    responses = [
        await upload(api, sam, run, drawing.saved("PNG")),
        await api.get(photo["url"], headers=sam.headers),
        await api.delete(photo["url"], headers=sam.headers),
    ]

    assert [response.status_code for response in responses] == [404, 404, 404]
    assert await database.fetchval("select count(*) from photos") == 1


async def test_photos_of_a_deleted_activity_are_not_found(
    api: httpx.AsyncClient, kim: Person, run: str
) -> None:
    photo = (await upload(api, kim, run, drawing.saved("PNG"))).json()
    await api.delete(run, headers=kim.headers)

    assert (await api.get(photo["url"], headers=kim.headers)).status_code == 404
    assert (await api.delete(photo["url"], headers=kim.headers)).status_code == 404
    assert (await upload(api, kim, run, drawing.saved("PNG"))).status_code == 404


@pytest.mark.parametrize(
    "data", [b"", b"text in a file named .jpg", drawing.bomb(50_000, 50_000), b"\xff\xd8\xff\xe0"]
)
async def test_unreadable_or_oversized_image_is_refused(
    api: httpx.AsyncClient, database: Database, kim: Person, run: str, data: bytes
) -> None:
    response = await upload(api, kim, run, data)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["photo"]
    assert await database.fetchval("select count(*) from photos") == 0


@pytest.mark.parametrize(
    "form",
    [
        {"files": {"picture": b"bytes"}},
        {"files": {"photo": b"bytes", "another": b"bytes"}},
        {"files": {"photo": (None, "a text")}},
        {"files": [("photo", b"bytes"), ("photo", b"bytes")]},
        {"json": {"photo": "bytes"}},
        {"content": b"bytes", "headers": {"Content-Type": "image/jpeg"}},
        {"content": b"bytes", "headers": {"Content-Type": "multipart/form-data"}},
    ],
)
async def test_body_other_than_a_form_with_one_photo_is_refused(
    api: httpx.AsyncClient, kim: Person, run: str, form: dict[str, Any]
) -> None:
    headers = {**form.get("headers", {}), **kim.headers}

    response = await api.post(f"{run}/photos", **{**form, "headers": headers})

    assert response.status_code in {400, 415}, response.text


async def test_photo_may_be_up_to_ten_megabytes(
    api: httpx.AsyncClient, kim: Person, run: str
) -> None:
    picture = drawing.saved("JPEG")
    padded = picture + bytes(10_000_000 - len(picture))

    assert (await upload(api, kim, run, padded)).status_code == 201
    assert (await upload(api, kim, run, padded + b"\0")).status_code == 400
    assert (await upload(api, kim, run, padded + bytes(1_000_000))).status_code == 413


async def test_activity_has_at_most_twenty_photos(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, kim: Person, run: str
) -> None:
    await database.execute(
        "insert into photos (activity_id, content_type, size_bytes)"
        " select id, 'image/png', 1 from activities, generate_series(1, 19)"
    )

    last = await upload(api, kim, run, drawing.saved("PNG"), **{"Idempotency-Key": "the last"})
    again = await upload(api, kim, run, drawing.saved("PNG"), **{"Idempotency-Key": "the last"})
    more = await upload(api, kim, run, drawing.saved("PNG"))

    assert (last.status_code, again.status_code, more.status_code) == (201, 201, 409)
    assert again.json() == last.json()
    assert await database.fetchval("select count(*) from photos") == 20
    assert len(await bucket.keys(f"photos/{kim.id}/")) == 1


async def test_concurrent_uploads_do_not_exceed_the_limit_or_leave_objects(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, kim: Person, run: str
) -> None:
    await database.execute(
        "insert into photos (activity_id, content_type, size_bytes)"
        " select id, 'image/png', 1 from activities, generate_series(1, 18)"
    )

    responses = await asyncio.gather(
        *(upload(api, kim, run, drawing.saved("PNG")) for _ in range(5))
    )

    assert sorted(response.status_code for response in responses) == [201, 201, 409, 409, 409]
    assert await database.fetchval("select count(*) from photos") == 20
    assert len(await bucket.keys(f"photos/{kim.id}/")) == 2


async def test_photos_of_one_user_are_limited_in_total(
    api: httpx.AsyncClient, database: Database, bucket: Bucket, kim: Person, sam: Person, run: str
) -> None:
    await database.execute(
        "insert into photos (activity_id, content_type, size_bytes)"
        " select id, 'image/png', 1_999_999_999 from activities"
    )
    sams = await api.post("/api/v1/activities", json=RUN, headers=sam.headers)

    refused = await upload(api, kim, run, drawing.saved("JPEG"))
    accepted = await upload(
        api, sam, f"/api/v1/activities/{sams.json()['id']}", drawing.saved("JPEG")
    )

    assert (refused.status_code, accepted.status_code) == (409, 201)
    assert "at most 2,000 MB" in refused.json()["detail"]
    assert await bucket.keys(f"photos/{kim.id}/") == []


async def test_34_bytes_that_claim_64_million_pixels_are_refused(
    api: httpx.AsyncClient, kim: Person, run: str
) -> None:
    response = await upload(api, kim, run, drawing.WEBP_OF_64_MEGAPIXELS)

    assert response.status_code == 400
    assert "at most 12 million pixels" in response.json()["errors"][0]["detail"]


async def test_uploads_fail_and_deletes_succeed_during_an_s3_outage(
    resources: Resources, settings: Settings, database: Database, kim: Person, closed_port: int
) -> None:
    unreachable = dataclasses.replace(
        settings.bucket, endpoint_url=f"http://127.0.0.1:{closed_port}"
    )
    async with open_bucket(unreachable) as bucket, client(resources, settings, bucket) as api:
        created = await api.post("/api/v1/activities", json=RUN, headers=kim.headers)
        run = f"/api/v1/activities/{created.json()['id']}"
        response = await upload(api, kim, run, drawing.saved("PNG"))

        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert await database.fetchval("select count(*) from photos") == 0

        photo_id = await database.fetchval(
            "insert into photos (activity_id, content_type, size_bytes)"
            " select id, 'image/png', 1 from activities returning id"
        )
        path = f"/api/v1/photos/{photo_id}"
        assert (await api.get(path, headers=kim.headers)).status_code == 302
        assert (await api.delete(path, headers=kim.headers)).status_code == 204


@asynccontextmanager
async def client(
    resources: Resources, settings: Settings, bucket: Bucket
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client for an API that uses this bucket."""

    @asynccontextmanager
    async def existing_resources() -> AsyncIterator[Resources]:
        yield dataclasses.replace(resources, bucket=bucket)

    app = create_app(existing_resources)
    transport = httpx.ASGITransport(app=cast("Any", app))  # the libraries type ASGI differently
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://test") as api,
    ):
        yield api
