"""Multipart uploads: objects that are sent while they are being written."""

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
from app.event_loop import cancel_all, finish_despite_cancellation
from app.s3.failures import translate_errors

if TYPE_CHECKING:  # type stubs, from the dev dependency group
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 8 * 2**20
"""The size of every part but the last. S3 allows 10,000 parts of at least 5 MiB."""
MAX_PARTS_IN_FLIGHT = 2

log = structlog.get_logger(__name__)


class StoredObject(NamedTuple):
    """The size, SHA-256 and ETag of a completed upload."""

    size: int
    sha256: str
    etag: str


class Upload:
    """One upload. Keeps at most three parts in memory: one being filled and two being sent."""

    def __init__(self, client: S3Client, bucket: str, key: str, *, abort_timeout_s: float) -> None:
        """`abort_timeout_s` limits how long aborting may take."""
        self._client = client
        self._abort_timeout_s = abort_timeout_s
        self._bucket = bucket
        self._key = key
        self._id = ""
        self._buffer = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self._parts_started = 0
        self._in_flight: deque[asyncio.Task[CompletedPartTypeDef]] = deque()
        self._parts: list[CompletedPartTypeDef] = []
        self._completed = False

    async def begin(self, content_type: str, filename: str, tags: Mapping[str, str]) -> None:
        """Start the upload in S3. The tags and the file name must be ASCII."""
        with translate_errors():
            response = await self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                ContentType=content_type,
                ContentDisposition=f'attachment; filename="{filename}"',
                Tagging=urlencode(tags),
            )
        self._id = response["UploadId"]

    async def write(self, data: bytes) -> None:
        """Add bytes. Waits while two parts are being sent and a third is full.

        Raises:
            Unavailable: a part could not be sent, so the upload has failed.
        """
        self._hash.update(data)
        self._size += len(data)
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            await self._send_first(PART_BYTES)

    async def flush(self) -> None:
        """Send the rest and wait until all parts have been sent. Write nothing afterwards.

        Raises:
            Unavailable: a part could not be sent, so the upload has failed.
        """
        if self._buffer or not self._parts_started:
            await self._send_first(len(self._buffer))
        while self._in_flight:
            await self._wait_for_oldest()

    async def complete(self) -> StoredObject:
        """Complete the upload. The object replaces any existing one with the same key.

        Raises:
            Unavailable: the upload was not completed, or it was but the response was lost.
        """
        await self.flush()
        etag = await finish_despite_cancellation(self._complete())
        return StoredObject(self._size, self._hash.hexdigest(), etag)

    async def _complete(self) -> str:
        with translate_errors():
            response = await self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": self._parts},
            )
        self._completed = True
        return response["ETag"]

    async def abort_unless_completed(self) -> None:
        """Abort an incomplete upload. If that fails, the next upload to the same key aborts it."""
        await cancel_all(self._in_flight)
        if self._completed or not self._id:
            return
        try:
            async with asyncio.timeout(self._abort_timeout_s):
                await abort(self._client, self._bucket, self._key, self._id)
        except (TimeoutError, Unavailable) as error:
            log.warning("s3.abort_failed", key=self._key, error=str(error))

    async def _send_first(self, length: int) -> None:
        """Start sending the first `length` bytes as a part, once fewer than two are being sent.

        The bytes are copied only then, to save memory.
        """
        if len(self._in_flight) == MAX_PARTS_IN_FLIGHT:
            await self._wait_for_oldest()
        part = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        self._parts_started += 1
        sending = asyncio.create_task(self._send_part(self._parts_started, part))
        sending.add_done_callback(_retrieve_exception)
        self._in_flight.append(sending)

    async def _wait_for_oldest(self) -> None:
        """Wait until the oldest part in flight has been sent."""
        oldest = self._in_flight[0]
        self._parts.append(await asyncio.shield(oldest))
        self._in_flight.popleft()

    async def _send_part(self, number: int, part: bytes) -> CompletedPartTypeDef:
        with translate_errors():
            response = await self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=part,
            )
        return {"PartNumber": number, "ETag": response["ETag"]}


def _retrieve_exception(sending: asyncio.Task[CompletedPartTypeDef]) -> None:
    """Keep asyncio from reporting a part's exception as unretrieved if an earlier part failed."""
    if not sending.cancelled():
        sending.exception()


async def abort(client: S3Client, bucket: str, key: str, upload_id: str) -> None:
    """Abort an incomplete upload. An upload that does not exist counts as aborted."""
    with translate_errors():
        with suppress(client.exceptions.NoSuchUpload):
            await client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
