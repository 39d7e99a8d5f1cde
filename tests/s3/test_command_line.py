"""`python -m app bucket`, run as a process."""

from __future__ import annotations

import dataclasses
from uuid import uuid4

from app.s3 import open_bucket
from app.settings import Settings
from tests.jobs.test_command_line import cli
from tests.support.raw_s3 import LONG_TIMEOUTS


async def test_prepare_creates_the_bucket_and_its_lifecycle_rules_and_can_be_repeated(
    environ: dict[str, str], settings: Settings
) -> None:
    name = uuid4().hex
    for _ in range(2):
        result = await cli({**environ, "S3_BUCKET": name}, "bucket", "prepare")
        assert (0, "") == (result.code, result.err)

    section = dataclasses.replace(settings.bucket, name=name)
    async with open_bucket(section, timeouts=LONG_TIMEOUTS) as bucket:
        rules = {rule["ID"] for rule in await bucket.lifecycle_rules()}
    assert rules == {"activelog exports/", "activelog incomplete"}
