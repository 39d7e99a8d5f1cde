"""Uploads in parts, on a real S3 server, and on one that fails in the middle."""

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
from app.s3.upload import PART
from app.settings import Settings
from tests.support.http import anybody
from tests.support.raw_s3 import UNHURRIED, raw_s3
from tests.support.s3_proxy import Call, S3Proxy, passes, s3_proxy
from tests.support.working import WAIT_LIMIT_S, until

KEY = "uploads/one.csv"
NAME = "activities.csv"
TAGS = {"kind": "export"}
BYTES = os.urandom(PART)


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[S3Proxy]:
    assert settings.bucket.endpoint_url is not None
    async with s3_proxy(settings.bucket.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def barred(settings: Settings, bucket: Bucket, proxy: S3Proxy) -> AsyncIterator[Bucket]:
    """The bucket, over the proxy."""
    await bucket.delete(await bucket.keys("uploads/"))
    section = dataclasses.replace(settings.bucket, endpoint_url=proxy.url)
    async with open_bucket(section, timeouts=UNHURRIED) as opened:
        yield opened


async def put(bucket: Bucket, parts: int, *, more: bytes = b"") -> None:
    async with bucket.upload(KEY, "text/csv", NAME, TAGS) as upload:
        for _ in range(parts):
            await upload.write(BYTES)
        await upload.write(more)
        await upload.complete()


async def test_an_object_of_many_parts_is_what_was_written(bucket: Bucket) -> None:
    content = b""
    async with bucket.upload(KEY, "text/csv; charset=utf-8", NAME, TAGS) as upload:
        for size in (1, PART - 2, 5, 2 * PART, 100_000):
            piece = os.urandom(size)
            content += piece
            await upload.write(piece)
        with_nothing = await upload.complete()

    async with anybody() as client:
        answer = await client.get(await bucket.presigned_url(KEY, NAME))
    assert answer.content == content
    assert with_nothing.size == len(content)
    assert with_nothing.sha256 == hashlib.sha256(content).hexdigest()
    head = await bucket.head(KEY)
    assert (head.etag, head.content_type) == (with_nothing.etag, "text/csv; charset=utf-8")


async def test_the_object_bears_its_name_and_its_tags(bucket: Bucket, settings: Settings) -> None:
    await put(bucket, 0, more=b"a,b\n")

    async with raw_s3(settings.bucket) as s3:
        head = await s3.head_object(Bucket=bucket.name, Key=KEY)
        tags = await s3.get_object_tagging(Bucket=bucket.name, Key=KEY)
    assert head["ContentDisposition"] == f'attachment; filename="{NAME}"'
    assert tags["TagSet"] == [{"Key": "kind", "Value": "export"}]


async def test_an_object_may_be_empty_or_end_with_a_part(bucket: Bucket) -> None:
    await put(bucket, 0)
    assert (await bucket.head(KEY)).size == 0
    await put(bucket, 1)
    assert (await bucket.head(KEY)).size == PART


async def test_what_is_not_completed_never_was(bucket: Bucket) -> None:
    await bucket.delete([KEY])

    async with bucket.upload(KEY, "text/csv", NAME, TAGS) as upload:
        await upload.write(BYTES)
        await upload.flush()

    assert await bucket.incomplete(KEY) == []
    with pytest.raises(NotFound):
        await bucket.head(KEY)


async def test_no_more_than_two_parts_are_on_their_way(proxy: S3Proxy, barred: Bucket) -> None:
    on_their_way: set[int] = set()
    most = 0
    two = asyncio.Event()

    async def send(call: Call) -> int | None:
        nonlocal most
        if call.part:
            on_their_way.add(call.part)
            most = max(most, len(on_their_way))
            if most == 2:
                two.set()
            async with asyncio.timeout(WAIT_LIMIT_S):
                await two.wait()
            await asyncio.sleep(0.1)  # a third could come meanwhile
        return None

    async def arrive(call: Call) -> int | None:
        on_their_way.discard(call.part)
        return None

    proxy.before, proxy.after = send, arrive
    await put(barred, 6)

    assert most == 2
    assert (await barred.head(KEY)).size == 6 * PART


async def test_whoever_is_cancelled_takes_back_what_was_sent(
    proxy: S3Proxy, barred: Bucket
) -> None:
    waiting = asyncio.Event()

    async def hold_second(call: Call) -> int | None:
        if call.part == 2:
            waiting.set()
            return await proxy.hold()
        return None

    proxy.before = hold_second
    putting = asyncio.create_task(put(barred, 4))
    await until(waiting.is_set)
    for _ in range(3):  # as a worker does that drains
        putting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert await barred.incomplete(KEY) == []


async def test_whoever_is_cancelled_while_it_begins_leaves_nothing(
    proxy: S3Proxy, barred: Bucket
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hold_answer(call: Call) -> int | None:
        if call.method == "POST" and call.query.startswith("uploads"):
            begun.set()
            await cancelled.wait()
        return None

    proxy.after = hold_answer
    putting = asyncio.create_task(put(barred, 1))
    await until(begun.is_set)
    putting.cancel()
    await asyncio.sleep(0)  # it hears of it before the answer comes
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert await barred.incomplete(KEY) == []


@pytest.mark.parametrize("status", [503, 500, 0])
async def test_a_failing_part_is_an_outage_and_leaves_nothing(
    proxy: S3Proxy, barred: Bucket, status: int
) -> None:
    async def fail_third(call: Call) -> int | None:
        return status if call.part == 3 else None

    proxy.before = fail_third
    with pytest.raises(Unavailable) as outage:
        await put(barred, 6)

    assert outage.value.dependency == "s3"
    assert await barred.incomplete(KEY) == []


async def test_one_failure_of_a_part_is_made_good(proxy: S3Proxy, barred: Bucket) -> None:
    failures = iter([503])

    async def fail_once(call: Call) -> int | None:
        return next(failures, None) if call.part == 2 else None

    proxy.before = fail_once
    await put(barred, 3)

    assert (await barred.head(KEY)).size == 3 * PART


async def test_what_could_not_be_taken_back_goes_with_the_next_attempt(
    proxy: S3Proxy, barred: Bucket
) -> None:
    async def away(call: Call) -> int | None:
        return 0 if call.part == 2 or call.method == "DELETE" else None

    proxy.before = away
    with pytest.raises(Unavailable):
        await put(barred, 3)
    proxy.before = passes
    assert len(await barred.incomplete(KEY)) == 1

    await put(barred, 1)

    assert await barred.incomplete(KEY) == []


async def test_of_two_uploads_of_one_key_only_the_later_can_be_completed(bucket: Bucket) -> None:
    async with bucket.upload(KEY, "text/csv", NAME, TAGS) as earlier:
        await earlier.write(b"earlier")
        await put(bucket, 0, more=b"later")
        with pytest.raises(Unavailable, match="NoSuchUpload"):
            await earlier.complete()

    assert (await bucket.head(KEY)).size == len(b"later")


async def test_rules_of_ours_are_kept_beside_those_of_others(settings: Settings) -> None:
    section = dataclasses.replace(settings.bucket, name=uuid4().hex)
    async with open_bucket(section, timeouts=UNHURRIED) as bucket, raw_s3(section) as s3:
        await bucket.create_if_missing()
        assert await bucket.rules() == []
        theirs: LifecycleRuleTypeDef = {
            "ID": "theirs",
            "Filter": {"Prefix": "logs/"},
            "Status": "Enabled",
            "Expiration": {"Days": 30},
        }
        await s3.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration={"Rules": [theirs]}
        )

        await bucket.expire({"exports/": 9})
        await bucket.expire({"exports/": 7})

        days = {rule["ID"]: rule.get("Expiration", {}).get("Days") for rule in await bucket.rules()}
        assert days == {"theirs": 30, "activelog exports/": 7, "activelog incomplete": None}
