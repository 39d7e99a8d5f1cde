"""The translation of S3's errors into our failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from app import dependency_health
from app.errors import NotFound, Unavailable

DEPENDENCY = "s3"
NOT_FOUND_CODES = {"NoSuchKey", "NoSuchLifecycleConfiguration", "404"}


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate errors that the block raises, and record when S3 responds correctly.

    Raises:
        NotFound: S3 has no such object or lifecycle configuration, or a HEAD request finds no such
            bucket.
        Unavailable: S3 does not answer, or refuses the request.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in NOT_FOUND_CODES:
            dependency_health.record_success(DEPENDENCY)
            raise NotFound("Object not found.") from error
        raise unavailable(code) from error
    except BotoCoreError as error:
        raise unavailable(type(error).__name__) from error
    dependency_health.record_success(DEPENDENCY)


def unavailable(reason: str) -> Unavailable:
    return Unavailable(
        f"The file store is not responding correctly ({reason}).", dependency=DEPENDENCY
    )
