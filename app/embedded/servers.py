"""All the servers together: started side by side, stopped on any way out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from app.embedded.daemon import Daemon, Place
from app.embedded.postgres import Postgres
from app.embedded.register import Register
from app.embedded.s3 import S3
from app.embedded.smtp import Smtp
from app.embedded.valkey import Valkey

KINDS: Mapping[str, type[Daemon]] = {
    "DATABASE_URL": Postgres,
    "REDIS_URL": Valkey,
    "S3_ENDPOINT_URL": S3,
    "SMTP_URL": Smtp,
}
"""A server is embedded unless its variable says where a real one is."""


@asynccontextmanager
async def servers(
    folder: Path, environ: Mapping[str, str], *, durable: bool = True
) -> AsyncIterator[dict[str, str]]:
    """Start the servers that `environ` does not name and yield the variables that name them.

    With `durable=False`, for tests, nothing is synced to the disk and every port is any free one;
    otherwise the usual ports are taken where they are free. On the way out, also by an error or a
    cancellation, every process is ended before this returns.

    Raises:
        DidNotStart: one of them failed; the others are stopped.
    """
    home = make_home(folder)
    with Register(home / "processes.json") as register:
        family = embedded(Place(home, register, durable), environ)
        try:
            await start_all(family)
            yield settings_of(family)
        finally:
            await stop_all(family)


def make_home(folder: Path) -> Path:
    """Private, except that root's lets Postgres's account pass to its own folder inside.

    Returns its absolute path. A folder that exists keeps its mode.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    return folder.resolve()


def embedded(place: Place, environ: Mapping[str, str]) -> list[Daemon]:
    return [kind(place) for variable, kind in KINDS.items() if not environ.get(variable, "")]


def settings_of(family: Iterable[Daemon]) -> dict[str, str]:
    return {name: value for one in family for name, value in one.settings().items()}


async def start_all(family: Iterable[Daemon]) -> None:
    """Side by side. The first failure cancels the rest and is raised alone."""
    tasks = [asyncio.create_task(one.start()) for one in family]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stop_all(family: Iterable[Daemon]) -> None:
    await asyncio.gather(*(one.stop() for one in family))
