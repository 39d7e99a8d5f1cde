"""`python -m app bucket`, run as a process."""

from __future__ import annotations

import dataclasses
from uuid import uuid4

from app.cleanup import marker
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


async def test_bucket_of_another_database_is_refused_until_it_is_adopted(
    environ: dict[str, str], settings: Settings
) -> None:
    name = uuid4().hex
    other = {**environ, "S3_BUCKET": name}
    assert 0 == (await cli(other, "bucket", "prepare")).code
    section = dataclasses.replace(settings.bucket, name=name)
    theirs = uuid4()
    async with open_bucket(section, timeouts=LONG_TIMEOUTS) as bucket:
        ours = (await bucket.read(marker.KEY)).decode().strip()
        await marker.adopt(bucket, theirs)
    refused = await cli(other, "bucket", "prepare")
    assert (1, True) == (refused.code, f"database {theirs}" in refused.err and ours in refused.err)
    adopted = await cli(other, "bucket", "adopt")
    expected = f"the bucket {name} belonged to database {theirs}; now it belongs to database {ours}"
    assert (0, expected) == (adopted.code, adopted.out.splitlines()[-1])
    assert 0 == (await cli(other, "bucket", "prepare")).code
