"""The bucket that all objects of ours are in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import structlog

from app.errors import NotFound, Unavailable
from app.event_loop import to_the_end
from app.s3.failures import translated, unavailable
from app.s3.upload import Upload, abort

if TYPE_CHECKING:  # stubs of the development group
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_s3.type_defs import (
        LifecycleRuleOutputTypeDef,
        LifecycleRuleUnionTypeDef,
        ObjectIdentifierTypeDef,
    )

LARGEST_DELETE = 1000
"""Keys in one request, by S3's own rule."""
OURS = "activelog "
"""What the names of our lifecycle rules begin with."""
LOOK = 2
"""Seconds that somebody waits at most to hear whether an object is there."""

log = structlog.get_logger(__name__)


class Head(NamedTuple):
    """What S3 tells of an object without its bytes."""

    size: int
    etag: str
    content_type: str


class Listed(NamedTuple):
    """An object in a list."""

    key: str
    modified_at: datetime


class Incomplete(NamedTuple):
    """An upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    begun_at: datetime


class Bucket:
    """The bucket that all objects of ours are in. Every method but `presigned_url` waits for S3.

    All but `holds` and `discard` raise Unavailable while S3 does not answer, or refuses.
    """

    def __init__(
        self,
        name: str,
        region: str,
        client: S3Client,
        signer: S3Client,
        *,
        abort_timeout_s: float,
    ) -> None:
        """The bucket of this name, which need not exist yet.

        Args:
            signer: a client of the endpoint that browsers see; it sends nothing.
            abort_timeout_s: seconds that aborting an upload may take.
        """
        self.name = name
        self._abort_timeout_s = abort_timeout_s
        self._region = region
        self._client = client
        self._signer = signer

    async def put(self, key: str, body: bytes, content_type: str) -> str:
        """Keep these bytes under a key, in place of any that were there; their ETag."""
        with translated():
            answer = await self._client.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type
            )
        return answer["ETag"]

    @asynccontextmanager
    async def upload(
        self, key: str, content_type: str, filename: str, tags: Mapping[str, str]
    ) -> AsyncIterator[Upload]:
        """Put an object while it is made. It appears with `complete`, or not at all.

        What earlier attempts at this key left incomplete is taken back first, so that one key never
        has two uploads: whoever began the other one can no longer complete it.
        """
        earlier = [one for one in await self.incomplete(key) if one.key == key]
        await self.abort_uploads(earlier)
        upload = Upload(self._client, self.name, key, abort_timeout_s=self._abort_timeout_s)
        try:
            await to_the_end(upload.begin(content_type, filename, tags))
            yield upload
        finally:
            await to_the_end(upload.abort_unless_completed())

    async def incomplete(self, prefix: str) -> Sequence[Incomplete]:
        """At most a thousand uploads of keys that begin with this."""
        with translated():
            answer = await self._client.list_multipart_uploads(Bucket=self.name, Prefix=prefix)
        return [
            Incomplete(one["Key"], one["UploadId"], one["Initiated"])
            for one in answer.get("Uploads", [])
        ]

    async def abort_uploads(self, uploads: Iterable[Incomplete]) -> None:
        """Abort uploads: their parts go, and nobody can complete them."""
        for one in uploads:
            await abort(self._client, self.name, one.key, one.upload_id)

    async def head(self, key: str) -> Head:
        """What there is under a key.

        Raises:
            NotFound: nothing.
        """
        with translated():
            answer = await self._client.head_object(Bucket=self.name, Key=key)
        return Head(answer["ContentLength"], answer["ETag"], answer["ContentType"])

    async def holds(self, key: str, etag: str | None) -> bool:
        """Whether the object with this ETag is under a key; None: whether any object is.

        If S3 does not answer within `LOOK` seconds, the object counts as present: the download then
        shows the outage.
        """
        try:
            async with asyncio.timeout(LOOK):
                found = (await self.head(key)).etag
        except NotFound:
            found = None
        except (TimeoutError, Unavailable):
            return True
        if found is not None and etag in {None, found}:
            return True
        log.warning("s3.object_differs", key=key, kept=etag, found=found)
        return False

    async def discard(self, key: str) -> None:
        """Remove an object that no row names any more. If S3 does not answer, the nightly cleanup
        removes it."""
        try:
            await self.delete([key])
        except Unavailable as outage:
            log.warning("s3.object_not_removed", key=key, error=outage.detail)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        for first in range(0, len(keys), LARGEST_DELETE):
            objects: list[ObjectIdentifierTypeDef] = [
                {"Key": key} for key in keys[first : first + LARGEST_DELETE]
            ]
            with translated():
                answer = await self._client.delete_objects(
                    Bucket=self.name,
                    Delete={"Objects": objects, "Quiet": True},
                )
            if failures := answer.get("Errors"):
                raise unavailable(f"{failures[0].get('Code')} for {len(failures)} keys")

    async def keys(self, prefix: str) -> list[str]:
        """At most a thousand keys that begin with this, in their order."""
        with translated():
            answer = await self._client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [found["Key"] for found in answer.get("Contents", [])]

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[Listed]]:
        """What there is under a prefix behind a key, in the order of the keys, by the thousand."""
        while True:
            with translated():
                answer = await self._client.list_objects_v2(
                    Bucket=self.name, Prefix=prefix, StartAfter=after
                )
            found = [Listed(one["Key"], one["LastModified"]) for one in answer.get("Contents", [])]
            if not found:
                return
            yield found
            after = found[-1].key

    async def presigned_url(
        self,
        key: str,
        filename: str,
        *,
        expires: timedelta = timedelta(minutes=5),
        disposition: Literal["attachment", "inline"] = "attachment",
    ) -> str:
        """A URL under which anybody may read the object for a while: a secret, never to be logged.

        It is signed here, without asking S3, whether or not the object exists. The file name is
        one of ours: plain ASCII without quotes.
        """
        return await self._signer.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.name,
                "Key": key,
                "ResponseContentDisposition": f'{disposition}; filename="{filename}"',
            },
            ExpiresIn=int(expires.total_seconds()),
        )

    async def expire(self, days: Mapping[str, int]) -> None:
        """Have the server remove objects by itself, so many days after they were put, by prefix;
        and whatever upload is incomplete after a day. Rules of others stay.
        """
        rules: list[LifecycleRuleUnionTypeDef] = [
            {
                "ID": f"{OURS}{prefix}",
                "Filter": {"Prefix": prefix},
                "Status": "Enabled",
                "Expiration": {"Days": kept},
            }
            for prefix, kept in days.items()
        ]
        incomplete: LifecycleRuleUnionTypeDef = {
            "ID": f"{OURS}incomplete",
            "Filter": {"Prefix": ""},
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        others = [rule for rule in await self.rules() if not rule.get("ID", "").startswith(OURS)]
        with translated():
            await self._client.put_bucket_lifecycle_configuration(
                Bucket=self.name,
                LifecycleConfiguration={"Rules": [*others, *rules, incomplete]},
            )

    async def rules(self) -> Sequence[LifecycleRuleOutputTypeDef]:
        """By which the server removes objects by itself."""
        try:
            with translated():
                answer = await self._client.get_bucket_lifecycle_configuration(Bucket=self.name)
        except NotFound:
            return []
        return answer["Rules"]

    async def create_if_missing(self) -> None:
        """Make the bucket unless it is there."""
        try:
            with translated():
                await self._client.head_bucket(Bucket=self.name)
        except NotFound:
            with translated():
                await self._create()

    async def _create(self) -> None:
        try:
            if self._region == "us-east-1":  # the one region that may not be named
                await self._client.create_bucket(Bucket=self.name)
            else:
                await self._client.create_bucket(
                    Bucket=self.name,
                    CreateBucketConfiguration={
                        "LocationConstraint": cast("BucketLocationConstraintType", self._region)
                    },
                )
        except self._client.exceptions.BucketAlreadyOwnedByYou:
            pass  # somebody was faster
