"""Multipart uploads to a real S3 server, and through a proxy that makes requests fail."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from types_aiobotocore_s3.type_defs import LifecycleRuleTypeDef

from app.errors import NotFound, Unavailable
from app.s3 import Bucket, open_bucket
from app.s3.upload import PART_BYTES
from app.settings import Settings
from tests.support.http import anonymous_client
from tests.support.raw_s3 import LONG_TIMEOUTS, raw_s3
from tests.support.s3_proxy import Call, S3Proxy, pass_on, s3_proxy
from tests.support.working import WAIT_LIMIT_S, until

KEY = "uploads/activities.csv"
NAME = "activities.csv"
TAGS = {"kind": "export"}
BYTES = os.urandom(PART_BYTES)


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[S3Proxy]:
    assert settings.bucket.endpoint_url is not None
    async with s3_proxy(settings.bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def proxied(settings: Settings, bucket: Bucket, proxy: S3Proxy) -> AsyncIterator[Bucket]:
    """The bucket, opened through the proxy."""
    await bucket.delete(await bucket.keys("uploads/"))
    section = dataclasses.replace(settings.bucket, endpoint_url=proxy.url)
    async with open_bucket(section, timeouts=LONG_TIMEOUTS) as opened:
        yield opened


async def put(bucket: Bucket, parts: int, *, more: bytes = b"") -> None:
    async with bucket.upload(KEY, "text/csv", NAME, TAGS) as upload:
        for _ in range(parts):
            await upload.write(BYTES)
        await upload.write(more)
        await upload.complete()


async def test_upload_of_several_parts_stores_what_was_written(bucket: Bucket) -> None:
    content = b""
    async with bucket.upload(KEY, "text/csv; charset=utf-8", NAME, TAGS) as upload:
        for size in (1, PART_BYTES - 2, 5, 2 * PART_BYTES, 100_000):
            piece = os.urandom(size)
            content += piece
            await upload.write(piece)
        stored = await upload.complete()

    async with anonymous_client() as client:
        answer = await client.get(await bucket.presigned_url(KEY, NAME))
    assert answer.content == content
    assert stored.size == len(content)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    head = await bucket.head(KEY)
    assert (head.etag, head.content_type) == (stored.etag, "text/csv; charset=utf-8")


async def test_upload_stores_the_file_name_and_tags(bucket: Bucket, settings: Settings) -> None:
    await put(bucket, 0, more=b"a,b\n")

    async with raw_s3(settings.bucket) as s3:
        head = await s3.head_object(Bucket=bucket.name, Key=KEY)
        tags = await s3.get_object_tagging(Bucket=bucket.name, Key=KEY)
    assert head["ContentDisposition"] == f'attachment; filename="{NAME}"'
    assert tags["TagSet"] == [{"Key": "kind", "Value": "export"}]


async def test_upload_can_be_empty_or_consist_of_whole_parts(bucket: Bucket) -> None:
    await put(bucket, 0)
    assert (await bucket.head(KEY)).size == 0
    await put(bucket, 1)
    assert (await bucket.head(KEY)).size == PART_BYTES


async def test_upload_that_is_not_completed_leaves_nothing_behind(bucket: Bucket) -> None:
    await bucket.delete([KEY])

    async with bucket.upload(KEY, "text/csv", NAME, TAGS) as upload:
        await upload.write(BYTES)
        await upload.flush()

    assert await bucket.incomplete_uploads(KEY) == []
    with pytest.raises(NotFound):
        await bucket.head(KEY)


async def test_at_most_two_parts_are_in_flight(proxy: S3Proxy, proxied: Bucket) -> None:
    in_flight: set[int] = set()
    max_in_flight = 0
    two = asyncio.Event()

    async def send(call: Call) -> int | None:
        nonlocal max_in_flight
        if call.part:
            in_flight.add(call.part)
            max_in_flight = max(max_in_flight, len(in_flight))
            if max_in_flight == 2:
                two.set()
            async with asyncio.timeout(WAIT_LIMIT_S):
                await two.wait()
            await asyncio.sleep(0.1)  # time for a third part to start
        return None

    async def arrive(call: Call) -> int | None:
        in_flight.discard(call.part)
        return None

    proxy.before, proxy.after = send, arrive
    await put(proxied, 6)

    assert max_in_flight == 2
    assert (await proxied.head(KEY)).size == 6 * PART_BYTES


async def test_cancelling_an_upload_aborts_it(proxy: S3Proxy, proxied: Bucket) -> None:
    waiting = asyncio.Event()

    async def hold_second(call: Call) -> int | None:
        if call.part == 2:
            waiting.set()
            return await proxy.hold()
        return None

    proxy.before = hold_second
    uploading = asyncio.create_task(put(proxied, 4))
    await until(waiting.is_set)
    for _ in range(3):  # as a worker does while it shuts down
        uploading.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await uploading

    assert await proxied.incomplete_uploads(KEY) == []


async def test_cancelling_the_start_of_an_upload_leaves_nothing_behind(
    proxy: S3Proxy, proxied: Bucket
) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def hold_answer(call: Call) -> int | None:
        if call.method == "POST" and call.query.startswith("uploads"):
            started.set()
            await cancelled.wait()
        return None

    proxy.after = hold_answer
    uploading = asyncio.create_task(put(proxied, 1))
    await until(started.is_set)
    uploading.cancel()
    await asyncio.sleep(0)  # the cancellation arrives before the response
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await uploading

    assert await proxied.incomplete_uploads(KEY) == []


@pytest.mark.parametrize("status", [503, 500, 0])
async def test_part_that_keeps_failing_is_reported_as_an_outage_and_aborts_the_upload(
    proxy: S3Proxy, proxied: Bucket, status: int
) -> None:
    async def fail_third(call: Call) -> int | None:
        return status if call.part == 3 else None

    proxy.before = fail_third
    with pytest.raises(Unavailable) as outage:
        await put(proxied, 6)

    assert outage.value.dependency == "s3"
    assert await proxied.incomplete_uploads(KEY) == []


async def test_part_that_fails_once_is_retried(proxy: S3Proxy, proxied: Bucket) -> None:
    failures = iter([503])

    async def fail_once(call: Call) -> int | None:
        return next(failures, None) if call.part == 2 else None

    proxy.before = fail_once
    await put(proxied, 3)

    assert (await proxied.head(KEY)).size == 3 * PART_BYTES


async def test_next_upload_aborts_an_earlier_one_whose_first_abort_failed(
    proxy: S3Proxy, proxied: Bucket
) -> None:
    async def fail(call: Call) -> int | None:
        return 0 if call.part == 2 or call.method == "DELETE" else None

    proxy.before = fail
    with pytest.raises(Unavailable):
        await put(proxied, 3)
    proxy.before = pass_on
    assert len(await proxied.incomplete_uploads(KEY)) == 1

    await put(proxied, 1)

    assert await proxied.incomplete_uploads(KEY) == []


async def test_only_the_latest_upload_of_a_key_can_be_completed(bucket: Bucket) -> None:
    async with bucket.upload(KEY, "text/csv", NAME, TAGS) as earlier:
        await earlier.write(b"earlier")
        await put(bucket, 0, more=b"later")
        with pytest.raises(Unavailable, match="NoSuchUpload"):
            await earlier.complete()

    assert (await bucket.head(KEY)).size == len(b"later")


async def test_setting_the_expiry_keeps_other_lifecycle_rules(settings: Settings) -> None:
    section = dataclasses.replace(settings.bucket, name=uuid4().hex)
    async with open_bucket(section, timeouts=LONG_TIMEOUTS) as bucket, raw_s3(section) as s3:
        await bucket.create_if_missing()
        assert await bucket.lifecycle_rules() == []
        theirs: LifecycleRuleTypeDef = {
            "ID": "theirs",
            "Filter": {"Prefix": "logs/"},
            "Status": "Enabled",
            "Expiration": {"Days": 30},
        }
        await s3.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration={"Rules": [theirs]}
        )

        await bucket.set_expiry({"exports/": 9})
        await bucket.set_expiry({"exports/": 7})

        days = {
            rule["ID"]: rule.get("Expiration", {}).get("Days")
            for rule in await bucket.lifecycle_rules()
        }
        assert days == {"theirs": 30, "activelog exports/": 7, "activelog incomplete": None}
