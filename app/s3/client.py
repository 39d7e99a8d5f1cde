"""The S3 clients and their timeouts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import aioboto3
from aiobotocore.config import AioConfig  # type: ignore[import-untyped] # has no stubs

from app import settings
from app.s3.bucket import Bucket


class Timeouts(NamedTuple):
    """The timeouts of calls, in seconds. A call is tried at most twice."""

    connect: float = 2
    """The longest wait for a connection, in each try."""
    read: float = 10
    """The longest wait for the next bytes of a response, in each try."""
    abort: float = 5
    """The longest that aborting an upload may take, in all: cancelling a job must be quick."""


@asynccontextmanager
async def open_bucket(
    section: settings.Bucket, *, timeouts: Timeouts | None = None
) -> AsyncIterator[Bucket]:
    """Open the clients. S3 is not called, so this works even while S3 is unavailable.

    Args:
        timeouts: how long calls wait. None means the defaults of `Timeouts`.
    """
    timeouts = timeouts or Timeouts()
    session = aioboto3.Session(
        aws_access_key_id=section.access_key_id,
        aws_secret_access_key=section.secret_access_key,
        region_name=section.region,
    )
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path" if section.endpoint_url else "auto"},
        connect_timeout=timeouts.connect,
        read_timeout=timeouts.read,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 2},
        request_checksum_calculation=section.checksums,
        response_checksum_validation=section.checksums,
    )
    public_url = section.public_endpoint_url or section.endpoint_url
    async with (
        session.client("s3", endpoint_url=section.endpoint_url, config=config) as client,
        session.client("s3", endpoint_url=public_url, config=config) as signer,
    ):
        yield Bucket(section.name, section.region, client, signer, abort_timeout_s=timeouts.abort)
