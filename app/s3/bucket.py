"""The bucket that contains all our objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import structlog

from app.errors import NotFound, Unavailable
from app.event_loop import finish_despite_cancellation
from app.s3.failures import translate_errors, unavailable
from app.s3.upload import Upload, abort

if TYPE_CHECKING:  # type stubs, from the dev dependency group
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_s3.type_defs import (
        LifecycleRuleOutputTypeDef,
        LifecycleRuleUnionTypeDef,
        ObjectIdentifierTypeDef,
    )

MAX_KEYS_PER_DELETE = 1000
"""S3's limit for one request."""
RULE_PREFIX = "activelog "
"""The prefix of the ids of our lifecycle rules."""
CONTAINS_TIMEOUT_S = 2
"""The longest that a user waits to learn whether an object exists."""

log = structlog.get_logger(__name__)


class Head(NamedTuple):
    """An object's metadata, without its content."""

    size: int
    etag: str
    content_type: str


class ListedObject(NamedTuple):
    """An object in a listing."""

    key: str
    modified_at: datetime


class IncompleteUpload(NamedTuple):
    """An upload that has been started and neither completed nor aborted."""

    key: str
    upload_id: str
    started_at: datetime


class Bucket:
    """The bucket that contains all our objects. All methods but `presigned_url` call S3.

    Those that call S3 raise Unavailable if it does not answer or refuses the request, except for
    `contains` and `discard`.
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
        """The bucket need not exist yet.

        Args:
            signer: a client for the endpoint that browsers use. It only signs URLs.
            abort_timeout_s: seconds that aborting an upload may take.
        """
        self.name = name
        self._abort_timeout_s = abort_timeout_s
        self._region = region
        self._client = client
        self._signer = signer

    async def put(self, key: str, body: bytes, content_type: str) -> str:
        """Store an object, replacing any existing one with the same key, and return its ETag."""
        with translate_errors():
            response = await self._client.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type
            )
        return response["ETag"]

    @asynccontextmanager
    async def upload(
        self, key: str, content_type: str, filename: str, tags: Mapping[str, str]
    ) -> AsyncIterator[Upload]:
        """Upload an object while it is being written. Readers do not see it before `complete`.

        Earlier incomplete uploads to the key are aborted first. An earlier attempt that is still
        running can then no longer complete its upload.
        """
        earlier = [found for found in await self.incomplete_uploads(key) if found.key == key]
        await self.abort_uploads(earlier)
        upload = Upload(self._client, self.name, key, abort_timeout_s=self._abort_timeout_s)
        try:
            await finish_despite_cancellation(upload.begin(content_type, filename, tags))
            yield upload
        finally:
            await finish_despite_cancellation(upload.abort_unless_completed())

    async def incomplete_uploads(self, prefix: str) -> Sequence[IncompleteUpload]:
        """List at most 1,000 incomplete uploads to keys with this prefix."""
        with translate_errors():
            response = await self._client.list_multipart_uploads(Bucket=self.name, Prefix=prefix)
        return [
            IncompleteUpload(found["Key"], found["UploadId"], found["Initiated"])
            for found in response.get("Uploads", [])
        ]

    async def abort_uploads(self, uploads: Iterable[IncompleteUpload]) -> None:
        """Abort uploads. Their parts are deleted, and they can no longer be completed."""
        for upload in uploads:
            await abort(self._client, self.name, upload.key, upload.upload_id)

    async def head(self, key: str) -> Head:
        """Return the metadata of the object with this key.

        Raises:
            NotFound: no object has this key.
        """
        with translate_errors():
            response = await self._client.head_object(Bucket=self.name, Key=key)
        return Head(response["ContentLength"], response["ETag"], response["ContentType"])

    async def read(self, key: str) -> bytes:
        """Return the content of a small object.

        Raises:
            NotFound: no object has this key.
        """
        with translate_errors():
            response = await self._client.get_object(Bucket=self.name, Key=key)
            async with response["Body"] as body:
                return bytes(await body.read())

    async def contains(self, key: str, etag: str | None) -> bool:
        """Tell whether the key holds the object with this ETag, or any object if `etag` is None.

        If S3 is unavailable, or does not answer within `CONTAINS_TIMEOUT_S`, the object counts as
        present: the download will then show the outage.
        """
        try:
            async with asyncio.timeout(CONTAINS_TIMEOUT_S):
                found = (await self.head(key)).etag
        except NotFound:
            found = None
        except (TimeoutError, Unavailable):
            return True
        if found is not None and etag in {None, found}:
            return True
        log.warning("s3.object_missing_or_changed", key=key, expected=etag, found=found)
        return False

    async def discard(self, key: str) -> None:
        """Delete an object that no row refers to. In an outage, leave it to the nightly cleanup."""
        try:
            await self.delete([key])
        except Unavailable as outage:
            log.warning("s3.delete_failed", key=key, error=outage.detail)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects. Objects that do not exist count as deleted."""
        for first in range(0, len(keys), MAX_KEYS_PER_DELETE):
            objects: list[ObjectIdentifierTypeDef] = [
                {"Key": key} for key in keys[first : first + MAX_KEYS_PER_DELETE]
            ]
            with translate_errors():
                response = await self._client.delete_objects(
                    Bucket=self.name,
                    Delete={"Objects": objects, "Quiet": True},
                )
            if failures := response.get("Errors"):
                raise unavailable(
                    f"keys not deleted: {len(failures)}; first error: {failures[0].get('Code')}"
                )

    async def keys(self, prefix: str) -> list[str]:
        """List at most 1,000 keys with this prefix, in order."""
        with translate_errors():
            response = await self._client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [found["Key"] for found in response.get("Contents", [])]

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        """Yield the objects with this prefix in the order of their keys, 1,000 at a time.

        Args:
            after: start after this key.
        """
        while True:
            with translate_errors():
                response = await self._client.list_objects_v2(
                    Bucket=self.name, Prefix=prefix, StartAfter=after
                )
            found = [
                ListedObject(item["Key"], item["LastModified"])
                for item in response.get("Contents", [])
            ]
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
        """Sign a URL that lets anyone read the object until the URL expires. Never log it.

        S3 is not called, so the object need not exist. The file name must be ASCII without quotes.
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

    async def set_expiry(self, days: Mapping[str, int]) -> None:
        """Make S3 delete objects when they reach a certain age.

        Incomplete uploads are aborted after one day. Lifecycle rules that are not ours are kept.

        Args:
            days: for each prefix, the age in days at which its objects are deleted.
        """
        rules: list[LifecycleRuleUnionTypeDef] = [
            {
                "ID": f"{RULE_PREFIX}{prefix}",
                "Filter": {"Prefix": prefix},
                "Status": "Enabled",
                "Expiration": {"Days": max_age_days},
            }
            for prefix, max_age_days in days.items()
        ]
        incomplete: LifecycleRuleUnionTypeDef = {
            "ID": f"{RULE_PREFIX}incomplete",
            "Filter": {"Prefix": ""},
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        others = [
            rule
            for rule in await self.lifecycle_rules()
            if not rule.get("ID", "").startswith(RULE_PREFIX)
        ]
        with translate_errors():
            await self._client.put_bucket_lifecycle_configuration(
                Bucket=self.name,
                LifecycleConfiguration={"Rules": [*others, *rules, incomplete]},
            )

    async def lifecycle_rules(self) -> Sequence[LifecycleRuleOutputTypeDef]:
        """Return the bucket's lifecycle rules, by which S3 deletes objects itself."""
        try:
            with translate_errors():
                response = await self._client.get_bucket_lifecycle_configuration(Bucket=self.name)
        except NotFound:
            return []
        return response["Rules"]

    async def create_if_missing(self) -> None:
        """Create the bucket if it does not exist."""
        try:
            with translate_errors():
                await self._client.head_bucket(Bucket=self.name)
        except NotFound:
            with translate_errors():
                await self._create()

    async def _create(self) -> None:
        try:
            if self._region == "us-east-1":  # the only region that must not be named
                await self._client.create_bucket(Bucket=self.name)
            else:
                await self._client.create_bucket(
                    Bucket=self.name,
                    CreateBucketConfiguration={
                        "LocationConstraint": cast("BucketLocationConstraintType", self._region)
                    },
                )
        except self._client.exceptions.BucketAlreadyOwnedByYou:
            pass  # another process was faster
