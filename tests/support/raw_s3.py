"""Direct access to the tests' S3 server, and timeouts for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aioboto3
from aiobotocore.config import AioConfig  # type: ignore[import-untyped] # has no stubs
from types_aiobotocore_s3 import S3Client

from app import settings
from app.s3 import Timeouts
from tests.support.working import WAIT_LIMIT_S

LONG_TIMEOUTS = Timeouts(connect=WAIT_LIMIT_S, read=3600, abort=WAIT_LIMIT_S)
"""Timeouts for buckets in tests: a call that a test blocks must not time out."""


@asynccontextmanager
async def raw_s3(section: settings.Bucket) -> AsyncIterator[S3Client]:
    """Open a client for operations that `Bucket` lacks, with the same account and endpoint."""
    session = aioboto3.Session(
        aws_access_key_id=section.access_key_id,
        aws_secret_access_key=section.secret_access_key,
        region_name=section.region,
    )
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=LONG_TIMEOUTS.connect,
        read_timeout=LONG_TIMEOUTS.read,
        request_checksum_calculation=section.checksums,
        response_checksum_validation=section.checksums,
    )
    async with session.client("s3", endpoint_url=section.endpoint_url, config=config) as client:
        yield client
