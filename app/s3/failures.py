"""Failures of S3 as kinds of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from app import dependency_health
from app.errors import NotFound, Unavailable

DEPENDENCY = "s3"
NOTHING_THERE = {"NoSuchKey", "NoSuchLifecycleConfiguration", "404"}


@contextmanager
def translated() -> Iterator[None]:
    """
    Raises:
        NotFound: there is nothing under the key.
        Unavailable: S3 does not answer, or refuses.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in NOTHING_THERE:
            dependency_health.note(DEPENDENCY)
            raise NotFound("Object not found.") from error
        raise unavailable(code) from error
    except BotoCoreError as error:
        raise unavailable(type(error).__name__) from error
    dependency_health.note(DEPENDENCY)


def unavailable(why: str) -> Unavailable:
    return Unavailable(
        f"The file store is not responding correctly ({why}).", dependency=DEPENDENCY
    )
