"""`python -m app bucket`: make the bucket ready."""

from __future__ import annotations

from typing import Any

from app.commands.parsing import Answer, Arguments, add, group
from app.exports.export import LIFE, PREFIX
from app.resources import Resources


def declare(commands: Any) -> None:
    """Add `bucket` and its subcommand."""
    bucket = group(commands.add_parser("bucket", help="make the bucket ready"))
    add(bucket, "prepare", _prepare, "make the bucket unless it is there, and its lifecycle rules")


async def _prepare(resources: Resources, _: Arguments) -> Answer:
    await resources.bucket.create_if_missing()
    await resources.bucket.expire({PREFIX: LIFE.days})
    return f"{PREFIX} goes after {LIFE.days} days, what was uploaded by half after one"
