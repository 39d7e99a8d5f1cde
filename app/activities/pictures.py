"""Checking uploaded images and removing their metadata, each in a process with limits."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import NamedTuple

import structlog

from app.activities.picture_process import REFUSED, Picture
from app.errors import Busy, Invalid

MAX_PHOTO_BYTES = 10_000_000
PROJECT = Path(__file__).parents[2]

log = structlog.get_logger()


class PictureLimits(NamedTuple):
    """The limits for one image, and for all of them."""

    memory_bytes: int = 256 * 1024 * 1024
    """The memory limit of the process. Only Linux enforces it."""
    cpu_s: int = 10
    timeout_s: float = 30
    max_held: int = 8
    """The most images at a time, including the one in the process. Each has up to
    `MAX_PHOTO_BYTES`."""


class Pictures:
    """Checks images, one at a time: the API's memory limit leaves room for one process."""

    def __init__(self, limits: PictureLimits | None = None) -> None:
        self._limits = limits or PictureLimits()
        self._turn = asyncio.Lock()
        self._held = 0

    async def clean(self, data: bytes) -> Picture:
        """Return the same image, pixel for pixel, without locations, times, names or thumbnails.

        Of its EXIF data, only the orientation is kept.

        Raises:
            Busy: too many images are waiting.
            Invalid: the data is damaged or not a JPEG, PNG or WebP image, has too many bytes or
                pixels, or needs too much memory or time.
        """
        if len(data) > MAX_PHOTO_BYTES:
            raise _invalid(f"A photo can be at most {MAX_PHOTO_BYTES // 1_000_000} MB.")
        if self._held >= self._limits.max_held:
            raise Busy("Too many photos are being uploaded. Try again later.", retry_after=5)
        self._held += 1
        try:
            async with self._turn:
                exit_code, answer = await self._run_process(data)
        finally:
            self._held -= 1
        if exit_code == REFUSED:
            raise _invalid(answer.decode())
        if exit_code:
            log.warning("picture.process_failed", exit_code=exit_code)
            raise _invalid("This image needs too much memory or time. Save it as a JPEG.")
        content_type, _, cleaned = answer.partition(b"\n")
        return Picture(content_type.decode(), cleaned)

    async def _run_process(self, data: bytes) -> tuple[int, bytes]:
        """Return the exit code and the output; a process that takes too long is killed."""
        memory_bytes, cpu_s, timeout_s, _ = self._limits
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.activities.picture_process"),
            *(str(memory_bytes), str(cpu_s)),
            cwd=PROJECT,
            env={},  # the process must not see our secrets
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # a traceback of a MemoryError
        )
        try:
            async with asyncio.timeout(timeout_s):
                answer, _ = await process.communicate(data)
        except TimeoutError:
            return -9, b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return await process.wait(), answer


def _invalid(detail: str) -> Invalid:
    return Invalid(detail, field="photo")
