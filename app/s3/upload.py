"""Multipart uploads: an object of any size, sent while it is made."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import structlog

from app.errors import Unavailable
from app.event_loop import cancel_all, to_the_end
from app.s3.failures import translated

if TYPE_CHECKING:  # stubs of the development group
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

PART = 8 * 2**20
"""Bytes of every part but the last. S3 takes 10,000 parts, of at least 5 MiB."""
IN_FLIGHT = 2

log = structlog.get_logger(__name__)


class Stored(NamedTuple):
    """What was put under a key."""

    size: int
    sha256: str
    etag: str


class Upload:
    """One upload. Holds at most three parts: one that is filled and two that are on their way."""

    def __init__(self, client: S3Client, bucket: str, key: str, *, abort_timeout_s: float) -> None:
        """An upload that S3 does not know of until it begins.

        Args:
            abort_timeout_s: seconds that aborting it may take.
        """
        self._client = client
        self._abort_timeout_s = abort_timeout_s
        self._bucket = bucket
        self._key = key
        self._id = ""
        self._filling = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self._sent = 0
        self._in_flight: deque[asyncio.Task[CompletedPartTypeDef]] = deque()
        self._parts: list[CompletedPartTypeDef] = []
        self._completed = False

    async def begin(self, content_type: str, filename: str, tags: Mapping[str, str]) -> None:
        """Tell S3 what the object will be. Tags and file name are ours: plain ASCII."""
        with translated():
            begun = await self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                ContentType=content_type,
                ContentDisposition=f'attachment; filename="{filename}"',
                Tagging=urlencode(tags),
            )
        self._id = begun["UploadId"]

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Waits while two parts are on their way and a third is full.

        Raises:
            Unavailable: a part could not be sent; the upload is lost.
        """
        self._hash.update(data)
        self._size += len(data)
        self._filling += data
        while len(self._filling) >= PART:
            await self._send_first(PART)

    async def flush(self) -> None:
        """Send what is left, and wait until all parts are there. Nothing can be written after it.

        Raises:
            Unavailable: a part could not be sent; the upload is lost.
        """
        if self._filling or not self._sent:
            await self._send_first(len(self._filling))
        while self._in_flight:
            await self._arrival()

    async def complete(self) -> Stored:
        """Have the object appear, in place of any that was there.

        Raises:
            Unavailable: it did not appear; or it did, and the answer was lost.
        """
        await self.flush()
        etag = await to_the_end(self._complete())
        return Stored(self._size, self._hash.hexdigest(), etag)

    async def _complete(self) -> str:
        with translated():
            answer = await self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
            )
        self._completed = True
        return answer["ETag"]

    async def abort_unless_completed(self) -> None:
        """Take back what was sent. What cannot be taken back now, the next attempt takes back."""
        await cancel_all(self._in_flight)
        if self._completed or not self._id:
            return
        try:
            async with asyncio.timeout(self._abort_timeout_s):
                await abort(self._client, self._bucket, self._key, self._id)
        except (TimeoutError, Unavailable) as error:
            log.warning("s3.upload_not_aborted", key=self._key, error=str(error))

    async def _send_first(self, length: int) -> None:
        """Have the first bytes on their way, once there is room: until then they are not copied."""
        if len(self._in_flight) == IN_FLIGHT:
            await self._arrival()
        part = bytes(memoryview(self._filling)[:length])
        del self._filling[:length]
        self._sent += 1
        sending = asyncio.create_task(self._send_part(self._sent, part))
        sending.add_done_callback(_heard)
        self._in_flight.append(sending)

    async def _arrival(self) -> None:
        """Wait for the oldest part on its way."""
        oldest = self._in_flight[0]
        self._parts.append(await asyncio.shield(oldest))
        self._in_flight.popleft()

    async def _send_part(self, number: int, part: bytes) -> CompletedPartTypeDef:
        with translated():
            answer = await self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=part,
            )
        return {"PartNumber": number, "ETag": answer["ETag"]}


def _heard(sending: asyncio.Task[CompletedPartTypeDef]) -> None:
    """The failure of a part that nobody waits for any more is no news: another failed before."""
    if not sending.cancelled():
        sending.exception()


async def abort(client: S3Client, bucket: str, key: str, upload_id: str) -> None:
    """Take back an incomplete upload; one that is not there counts as taken back."""
    with translated():
        with suppress(client.exceptions.NoSuchUpload):
            await client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
