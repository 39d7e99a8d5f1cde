"""The bucket, on a real S3 server."""

from __future__ import annotations

import asyncio
import dataclasses
from uuid import uuid4

import pytest

from app import dependency_health
from app.errors import NotFound, Unavailable
from app.s3 import Bucket, open_bucket
from app.settings import Settings
from tests.support.http import anonymous_client
from tests.support.raw_s3 import LONG_TIMEOUTS


async def test_head_returns_the_size_and_content_type_of_an_object(bucket: Bucket) -> None:
    await bucket.put("s3/found.txt", b"twelve bytes", "text/plain")

    head = await bucket.head("s3/found.txt")

    assert (head.size, head.content_type) == (12, "text/plain")


async def test_missing_object_is_not_found_and_is_not_an_outage(bucket: Bucket) -> None:
    successes = dependency_health.track()
    with pytest.raises(NotFound):
        await bucket.head("s3/nothing.txt")
    assert "s3" in successes


async def test_bucket_contains_an_object_until_it_is_replaced_or_discarded(bucket: Bucket) -> None:
    etag = await bucket.put("s3/kept.txt", b"bytes", "text/plain")
    assert await bucket.contains("s3/kept.txt", etag)
    assert await bucket.contains("s3/kept.txt", None)

    await bucket.put("s3/kept.txt", b"others", "text/plain")
    assert not await bucket.contains("s3/kept.txt", etag)

    await bucket.discard("s3/kept.txt")
    assert not await bucket.contains("s3/kept.txt", None)


async def test_contains_and_discard_tolerate_an_s3_outage(
    settings: Settings, closed_port: int
) -> None:
    section = dataclasses.replace(settings.bucket, endpoint_url=f"http://127.0.0.1:{closed_port}")
    async with open_bucket(section) as unreachable:
        assert await unreachable.contains("s3/file.txt", "etag")
        await unreachable.discard("s3/file.txt")


async def test_deleting_is_idempotent(bucket: Bucket) -> None:
    await bucket.put("s3/gone.txt", b"bytes", "text/plain")

    await bucket.delete(["s3/gone.txt", "s3/never was.txt"])
    await bucket.delete(["s3/gone.txt"])
    await bucket.delete([])

    with pytest.raises(NotFound):
        await bucket.head("s3/gone.txt")


async def test_delete_accepts_more_keys_than_fit_in_one_request(bucket: Bucket) -> None:
    await bucket.put("s3/last.txt", b"bytes", "text/plain")

    await bucket.delete([*(f"s3/{number}.txt" for number in range(1500)), "s3/last.txt"])

    with pytest.raises(NotFound):
        await bucket.head("s3/last.txt")


async def test_anyone_with_a_presigned_url_gets_the_object_with_its_file_name(
    bucket: Bucket,
) -> None:
    await bucket.put("s3/open.csv", b"a,b", "text/csv")

    async with anonymous_client() as client:
        answer = await client.get(await bucket.presigned_url("s3/open.csv", "activities.csv"))

    assert answer.content == b"a,b"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="activities.csv"'
    assert answer.headers["Content-Type"] == "text/csv"


async def test_presigned_url_is_valid_for_one_object_only(bucket: Bucket) -> None:
    await bucket.put("s3/mine.txt", b"mine", "text/plain")
    await bucket.put("s3/other.txt", b"other", "text/plain")
    url = await bucket.presigned_url("s3/mine.txt", "mine.txt")

    async with anonymous_client() as client:
        answer = await client.get(url.replace("mine.txt?", "other.txt?"))

    assert answer.status_code == 403


async def test_presigned_url_uses_the_public_endpoint(settings: Settings) -> None:
    section = dataclasses.replace(
        settings.bucket, public_endpoint_url="https://files.activelog.example"
    )
    async with open_bucket(section) as bucket:
        url = await bucket.presigned_url("a key", "file")

    assert url.startswith(f"https://files.activelog.example/{section.name}/a%20key?")


async def test_bucket_can_be_created_repeatedly_and_concurrently(settings: Settings) -> None:
    section = dataclasses.replace(settings.bucket, name=uuid4().hex)
    async with open_bucket(section, timeouts=LONG_TIMEOUTS) as bucket:
        with pytest.raises(NotFound):
            await bucket.head("anything")
        await asyncio.gather(bucket.create_if_missing(), bucket.create_if_missing())
        await bucket.create_if_missing()
        await bucket.put("anything", b"", "text/plain")
        await bucket.head("anything")


async def test_bucket_opens_without_s3_and_its_calls_report_the_outage(
    settings: Settings, closed_port: int
) -> None:
    section = dataclasses.replace(settings.bucket, endpoint_url=f"http://127.0.0.1:{closed_port}")
    async with open_bucket(section) as bucket:
        for call in (
            bucket.put("key", b"", "text/plain"),
            bucket.head("key"),
            bucket.delete(["key"]),
            bucket.create_if_missing(),
        ):
            successes = dependency_health.track()
            with pytest.raises(Unavailable) as outage:
                await call
            assert outage.value.dependency == "s3"
            assert "s3" not in successes


async def test_request_with_wrong_credentials_is_treated_as_an_outage(settings: Settings) -> None:
    """This way, jobs wait until an operator has corrected the credentials, and then run."""
    section = dataclasses.replace(settings.bucket, secret_access_key="another secret")
    async with open_bucket(section) as bucket:
        with pytest.raises(Unavailable):
            await bucket.put("key", b"", "text/plain")
