"""S3 through aioboto3: one bucket, one client a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import aioboto3
from aiobotocore.config import AioConfig  # type: ignore[import-untyped] # has no stubs
from botocore.exceptions import (  # type: ignore[import-untyped] # has no stubs
    BotoCoreError,
    ClientError,
)

from app import settings
from app.errors import NotFound, Unavailable

if TYPE_CHECKING:  # stubs of the development group
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_s3.type_defs import ObjectIdentifierTypeDef

LARGEST_DELETE = 1000
"""Keys in one request, by S3's own rule."""


class Head(NamedTuple):
    """What S3 tells of an object without its bytes."""

    size: int
    etag: str
    content_type: str


class Listed(NamedTuple):
    """An object in a list."""

    key: str
    modified_at: datetime


class Bucket:
    """The bucket that all objects of ours are in. Every method but `presigned_url` waits for S3.

    Every one raises Unavailable while S3 does not answer, or refuses.
    """

    def __init__(self, name: str, region: str, client: S3Client, signer: S3Client) -> None:
        """`signer` is a client of the endpoint that browsers see; it sends nothing."""
        self.name = name
        self._region = region
        self._client = client
        self._signer = signer

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Keep these bytes under a key, in place of any that were there."""
        with _translated():
            await self._client.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type
            )

    async def head(self, key: str) -> Head:
        """What there is under a key.

        Raises:
            NotFound: nothing.
        """
        with _translated():
            answer = await self._client.head_object(Bucket=self.name, Key=key)
        return Head(answer["ContentLength"], answer["ETag"], answer["ContentType"])

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        for first in range(0, len(keys), LARGEST_DELETE):
            objects: list[ObjectIdentifierTypeDef] = [
                {"Key": key} for key in keys[first : first + LARGEST_DELETE]
            ]
            with _translated():
                answer = await self._client.delete_objects(
                    Bucket=self.name,
                    Delete={"Objects": objects, "Quiet": True},
                )
            if failures := answer.get("Errors"):
                raise _unavailable(f"{failures[0].get('Code')} for {len(failures)} keys")

    async def keys(self, prefix: str) -> list[str]:
        """At most a thousand keys that begin with this, in their order."""
        with _translated():
            answer = await self._client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [found["Key"] for found in answer.get("Contents", [])]

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[Listed]]:
        """What there is under a prefix behind a key, in the order of the keys, by the thousand."""
        while True:
            with _translated():
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

    async def create_if_missing(self) -> None:
        """Make the bucket unless it is there. Only for development and tests."""
        try:
            with _translated():
                await self._client.head_bucket(Bucket=self.name)
        except NotFound:
            with _translated():
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


@asynccontextmanager
async def open_bucket(section: settings.Bucket) -> AsyncIterator[Bucket]:
    """Open the clients. Nothing is asked of S3 yet, so that this works while it is away."""
    session = aioboto3.Session(
        aws_access_key_id=section.access_key_id,
        aws_secret_access_key=section.secret_access_key,
        region_name=section.region,
    )
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path" if section.endpoint_url else "auto"},
        connect_timeout=2,
        read_timeout=10,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 2},
        request_checksum_calculation=section.checksums,
        response_checksum_validation=section.checksums,
    )
    async with (
        session.client("s3", endpoint_url=section.endpoint_url, config=config) as client,
        session.client("s3", endpoint_url=section.public_endpoint_url, config=config) as signer,
    ):
        yield Bucket(section.name, section.region, client, signer)


@contextmanager
def _translated() -> Iterator[None]:
    """Failures of S3 as kinds of ours."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"NoSuchKey", "404"}:
            raise NotFound("There is no such object.") from error
        raise _unavailable(code) from error
    except BotoCoreError as error:
        raise _unavailable(type(error).__name__) from error


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"The file store does not answer as it should ({why}).", dependency="s3")
