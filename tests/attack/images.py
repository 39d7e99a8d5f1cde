"""Photos that cost a decoder much more than they cost the attacker."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import cycle, islice
from statistics import quantiles
from time import perf_counter
from typing import Any

import httpx
from PIL import Image

from app.resources import open_resources
from app.settings import Settings
from tests.activities.drawing import WEBP_OF_64_MEGAPIXELS, saved
from tests.attack.target import MEMORY_LIMIT_BYTES, Target, target
from tests.bench.environment import Environment
from tests.bench.table import Row
from tests.support.people import Person, person

NEEDS = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")
UPLOADS, SHORT_UPLOADS = 10_000, 200
AT_ONCE = 4
GROWTH_LIMIT_MIB = 64
SLOWDOWN_LIMIT = 1.3
PROBE_INTERVAL_S = 0.02


async def attack(environment: Environment, *, short: bool) -> list[Row]:
    """Upload honest photos, then hostile ones, and measure what others notice."""
    uploads = SHORT_UPLOADS if short else UPLOADS
    settings = Settings.from_env(environment.environ)
    async with open_resources(settings, process="activelog-attack") as resources:
        await resources.bucket.create_if_missing()
        attacker, other = [await person(resources.database, name) for name in ("mal", "kim")]
    async with target(environment, {"REQUEST_RATE": "900000/m"}) as api:
        await _upload_all(api, attacker, other, [_honest()], uploads // 10)  # warms up
        before = api.peak_mib()
        honest = await _upload_all(api, attacker, other, [_honest()], uploads // 10)
        hostile = await _upload_all(api, attacker, other, hostile_images(), uploads)
        alive, growth = api.is_alive(), api.peak_mib() - before if api.is_alive() else -1
        slowdown = hostile.p99_ms / honest.p99_ms
        limit = f"{MEMORY_LIMIT_BYTES // 2**20} MiB" if api.is_limited else "no limit: not root"
    statuses = ", ".join(f"{count} x {status}" for status, count in hostile.statuses.items())
    return [
        Row(f"alive after {uploads:,} hostile photos ({limit})", "API", str(alive), "True", alive),
        Row("answers to them", "API", statuses, "no 5xx but 503", hostile.is_expected()),
        Row(
            "growth of the API's memory",
            "API",
            f"{growth} MiB",
            f"< {GROWTH_LIMIT_MIB} MiB",
            0 <= growth < GROWTH_LIMIT_MIB,
        ),
        Row("p99 of others, honest photos", "API", f"{honest.p99_ms:.1f} ms"),
        Row(
            "p99 of others, hostile photos",
            "API",
            f"{hostile.p99_ms:.1f} ms, {slowdown:.2f}x",
            f"<= {SLOWDOWN_LIMIT}x",
            None if short else slowdown <= SLOWDOWN_LIMIT,  # too few to compare
        ),
    ]


class Outcome:
    """How a series of uploads was answered, and how long others waited meanwhile."""

    def __init__(self, statuses: Counter[int], waits_ms: Sequence[float]) -> None:
        self.statuses = statuses
        self.p99_ms = quantiles(waits_ms, n=100)[-1]

    def is_expected(self) -> bool:
        return all(status < 500 or status == 503 for status in self.statuses)


async def _upload_all(
    api: Target, attacker: Person, other: Person, images: Sequence[bytes], count: int
) -> Outcome:
    statuses: Counter[int] = Counter()
    waits_ms: list[float] = []
    left = islice(cycle(images), count)
    async with _client(api, attacker) as client, _client(api, other) as probe:
        entry = {"type": "run", "started_at": datetime.now(UTC).isoformat(), "duration_s": 60}

        async def upload() -> None:
            for image in left:
                created = await client.post("/api/v1/activities", json=entry)
                path = f"/api/v1/activities/{created.json()['id']}/photos"
                answer = await client.post(path, files={"photo": ("photo", image)})
                statuses[answer.status_code] += 1

        async def watch() -> None:
            while True:
                began = perf_counter()
                await probe.get("/api/v1/activities")
                waits_ms.append((perf_counter() - began) * 1000)
                await asyncio.sleep(PROBE_INTERVAL_S)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(upload() for _ in range(AT_ONCE)))
        watching.cancel()
    return Outcome(statuses, waits_ms)


@asynccontextmanager
async def _client(api: Target, user: Person) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=api.url, headers=user.headers, timeout=120, trust_env=False
    ) as client:
        yield client


def _honest() -> bytes:
    return _encode(Image.effect_mandelbrot((1200, 900), (-2, -1, 1, 1), 50).convert("RGB"), "JPEG")


def hostile_images() -> list[bytes]:
    """Return images of every accepted format that are expensive to decode, or broken."""
    flat = Image.new("RGB", (3999, 3000), (1, 2, 3))
    clear = Image.new("RGBA", (6000, 4000), (1, 2, 3, 4))
    frames = [Image.new("RGB", (500, 500), (shade, 0, 0)) for shade in range(0, 250, 5)]
    whole = saved("WEBP")
    return [
        WEBP_OF_64_MEGAPIXELS,
        _encode(flat, "WEBP", lossless=True, method=0),
        _encode(clear, "PNG"),
        _png_of(48_000_000, 1),
        _png_of(1, 65_535),
        _encode(flat.convert("CMYK"), "JPEG", progressive=True),
        _encode(Image.new("CMYK", (8000, 8000)), "JPEG", progressive=True),
        _encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        _encode(Image.new("RGB", (1, 65_000)), "JPEG"),
        _encode(Image.new("RGB", (1, 1)), "JPEG"),
        whole[: len(whole) // 2],
        _encode(flat, "JPEG")[:5000],
    ]


def _encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def _png_of(width: int, height: int) -> bytes:
    """Return a PNG with one black 8-bit channel."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height), 1)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
