"""The nightly cleanup of exports."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from app.exports import requests
from app.exports.export import Export, ExportId, Filters
from app.exports.formats import object_key
from app.postgres.database import Database
from app.resources import Resources
from app.s3 import Bucket
from app.users.user import UserId
from tests.support.many_users import add_users
from tests.support.raw_s3 import raw_s3
from tests.support.schedules import run_schedule
from tests.support.working import run_jobs


@pytest.fixture
async def kim(database: Database, bucket: Bucket) -> UserId:
    await bucket.delete(await bucket.keys("exports/"))
    (user_id,) = await add_users(database, 1)
    return user_id


async def completed_export(resources: Resources, user_id: UserId, day: int) -> Export:
    """Create a completed export of the activities since this day in January 2026."""
    filters = Filters(datetime(2026, 1, day).date(), None, None)  # noqa: DTZ001 # only its date
    async with resources.database.transaction() as tx:
        export = await requests.request(tx, user_id, "csv", filters)
    await run_jobs(resources)
    return await requests.find(resources.database, user_id, export.id)


async def test_cleanup_removes_expired_exports_and_their_objects(
    resources: Resources, database: Database, bucket: Bucket, kim: UserId
) -> None:
    expired, kept = (
        await completed_export(resources, kim, 1),
        await completed_export(resources, kim, 2),
    )
    await database.execute("update exports set expires_at = now() where id = $1", expired.id)

    run = await run_schedule(resources, "cleanup:daily")

    assert (run.counts["exports"], run.counts["export_files"]) == (1, 1)
    assert await bucket.keys("exports/") == [object_key(kim, kept.id, "csv")]
    history = await requests.history(database, kim, None, 10)
    assert [export.id for export in history] == [kept.id]


async def test_cleanup_removes_objects_of_deleted_and_unknown_exports(
    resources: Resources, database: Database, bucket: Bucket, kim: UserId
) -> None:
    deleted = await completed_export(resources, kim, 1)
    async with database.transaction() as tx:
        # This keeps the object, as if S3 had been unavailable.
        await requests.delete(tx, kim, deleted.id)
    for key in (object_key(kim, ExportId(uuid4()), "csv"), "exports/readme.txt"):
        await bucket.put(key, b"x", "text/csv")

    run = await run_schedule(resources, "cleanup:daily")

    assert run.counts["export_files"] == 3
    assert await bucket.keys("exports/") == []


async def test_cleanup_keeps_the_object_of_an_unfinished_export(
    resources: Resources, database: Database, bucket: Bucket, kim: UserId
) -> None:
    export = await completed_export(resources, kim, 1)
    await database.execute(
        "update exports set completed_at = null, expires_at = null, row_count = null,"
        " size_bytes = null, sha256 = null, etag = null"
    )

    await run_schedule(resources, "cleanup:daily")

    assert await bucket.keys("exports/") == [object_key(kim, export.id, "csv")]


async def test_cleanup_aborts_uploads_that_are_a_day_old(
    resources: Resources, bucket: Bucket, kim: UserId
) -> None:
    key = object_key(kim, ExportId(uuid4()), "csv")
    async with raw_s3(resources.settings.bucket) as s3:
        await s3.create_multipart_upload(Bucket=bucket.name, Key=key)
    (upload,) = await bucket.incomplete_uploads(key)  # S3's clock sets its start time

    await requests.abort_stale_uploads(bucket, upload.started_at + timedelta(hours=23))
    assert await bucket.incomplete_uploads(key) == [upload]
    await requests.abort_stale_uploads(bucket, upload.started_at + timedelta(hours=25))
    assert await bucket.incomplete_uploads(key) == []
