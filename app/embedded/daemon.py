"""Start, probe and stop one program: a server, the API or the worker."""

from __future__ import annotations

import asyncio
import hmac
import signal
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app import process_priority
from app.embedded.home import disk_full_lines, secret
from app.embedded.ports import default_or_free_port, free_ports, is_listening
from app.embedded.registry import ProcessRegistry, kill_group

PORT_TAKEN = "address already in use"


class DidNotStart(Exception):
    """A program was not started, exited, or did not respond in time. The message says why."""

    def __init__(
        self,
        name: str,
        code: int | None,
        output: Sequence[str],
        max_lines: int = 3,
        *,
        started: bool = True,
    ) -> None:
        """
        Args:
            code: the exit code; None if the program is running but did not respond.
            output: the last lines of the program's output.
            max_lines: how many of the last lines to quote if no line gives a known reason.
            started: whether the program was started at all; if not, `output` says why.
        """
        what = "did not respond" if code is None else f"exited with code {code}"
        if not started:
            what = "was not started"
        full = disk_full_lines(output)
        taken = [line for line in output if PORT_TAKEN in line.lower()]
        why = next(iter(full + taken), " / ".join(output[-max_lines:]))
        super().__init__(f"{name} {what}: {why}" if why else f"{name} {what}")
        self.code = code
        self.disk_is_full = bool(full)
        self.port_was_taken = bool(taken)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where programs keep their files, whether the files must be durable, and how to pick ports."""

    home: Path
    registry: ProcessRegistry
    durable: bool
    """False for tests: files are not synced to disk, and all ports are random free ports."""
    fixed_port: int | None = None
    """The port, if the workspace has only one server. If None, each `start` chooses ports."""

    def folder(self, name: str) -> Path:
        """Return the private folder with this name. Create it if necessary."""
        folder = self.home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def password(self, purpose: str) -> str:
        """Return a random password, always the same for a purpose in this home folder.

        Other users of this machine can connect to the servers' ports, but cannot read the file.
        """
        return hmac.digest(secret(self.home), purpose.encode(), "sha256").hex()

    def choose_port(self, default: int) -> int:
        """Choose a port for a server."""
        if self.fixed_port is not None:
            return self.fixed_port
        return default_or_free_port(default) if self.durable else free_ports(1)[0]


class RunAs(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class Daemon(ABC):
    """A program in the background.

    `start` returns once the program is ready, `stop` once the program and its children have exited.
    """

    name: str
    stop_signal = signal.SIGTERM
    stop_timeout_s = 10.0
    """How long to wait after `stop_signal` before killing the program."""
    start_timeout_s = 30.0
    """How long the program may take to become ready. Tests allow four times as long."""
    start_attempts = 3
    """How many times to try to start, on new ports each time, if other processes take the ports."""
    slow_to_notice_free_space = False
    """Whether the program must be restarted to notice promptly that a full disk has space again."""
    niceness = 0
    """The nice value, as in nice(1)."""

    port = 0
    """The port that our process must listen on; 0 if `is_ready` already identifies our process."""

    def __init__(self, workspace: Workspace, show: Callable[[str], None] | None = None) -> None:
        """Pass output to `show` line by line as it arrives; without `show`, log it to a file."""
        self.workspace = workspace
        self._show = show
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_lines: deque[str] = deque(maxlen=20)

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the program and its arguments."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Ask the program whether it is ready."""

    def settings(self) -> dict[str, str]:
        """Return the environment variables that tell other programs how to connect."""
        return {}

    def choose_ports(self) -> None:  # noqa: B027 # optional
        """Choose ports. Called before each attempt of `start`; restarts keep the ports."""

    def listening_ports(self) -> Mapping[str, tuple[int, int]]:
        """Return (default port, actual port) by service."""
        return {}

    async def prepare(self) -> None:  # noqa: B027 # optional
        """Prepare to start. Called before every start, including restarts."""

    def environment(self) -> Mapping[str, str] | None:
        """Return the program's environment; None to inherit ours."""
        return None

    def working_folder(self) -> Path:
        return self.workspace.home

    def run_as(self) -> RunAs:
        """Return the account to run the program under; empty for our own."""
        return {}

    def cleanup_paths(self) -> Sequence[Path]:
        """Return the paths to remove after the program has exited (see `RegistryEntry`)."""
        return ()

    @property
    def log(self) -> Path:
        return self.workspace.folder("logs") / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the program and wait until it is ready. If that fails, nothing is left running.

        Raises:
            DidNotStart: the program exited, did not respond, or found its ports taken every time.
        """
        for attempt in range(1, self.start_attempts + 1):
            self.choose_ports()
            try:
                return await self._start_once()
            except DidNotStart as error:
                if attempt == self.start_attempts or not error.port_was_taken:
                    raise
        return None

    async def _start_once(self) -> None:
        await self.spawn()
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.stop()
            raise

    async def _wait_until_ready(self) -> None:
        timeout_s = self.start_timeout_s if self.workspace.durable else 4 * self.start_timeout_s
        deadline = time.monotonic() + timeout_s
        while not (await self.is_ready() and self._owns_port()):
            if self._process is None or self._process.returncode is not None:
                raise self._failure(await self.wait())
            if time.monotonic() > deadline:
                raise self._failure(None)
            await asyncio.sleep(0.02)

    def _owns_port(self) -> bool:
        """Whether the port is ours: another server may have taken it and answered the probe."""
        return not self.port or (self.pid is not None and is_listening(self.pid, self.port))

    async def spawn(self) -> None:
        """Start the program without waiting for it to become ready."""
        await self.prepare()
        with ExitStack() as opened:
            log = PIPE if self._show else opened.enter_context(self.log.open("wb"))
            self._process = await asyncio.create_subprocess_exec(
                *map(str, self.command()),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd=self.working_folder(),
                env=self.environment(),
                start_new_session=True,
                **self.run_as(),
            )
        self.workspace.registry.add(
            self._process.pid, self.name, self.stop_signal, self.cleanup_paths()
        )
        if self.niceness:
            process_priority.lower_priority_of(self._process.pid, self.niceness)
        self._read_output(self._process)

    async def wait(self) -> int:
        """Wait until the program exits, and kill what is left of its process group.

        Returns:
            The exit code; negative if a signal ended the program.
        """
        if self._process is None:
            return 0
        process = self._process
        code = await process.wait()
        if self.workspace.registry.remove(process.pid):
            kill_group(process.pid)  # children that the program left behind
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=1)
        return code

    async def stop(self) -> None:
        """Send `stop_signal`. Kill the program if it is still running after `stop_timeout_s`."""
        process = self._process
        if process is None:
            return
        try:
            with suppress(ProcessLookupError, TimeoutError):
                process.send_signal(self.stop_signal)
                async with asyncio.timeout(self.stop_timeout_s):
                    await process.wait()
        finally:
            self.kill()
            await self.wait()
            self._process = None

    def kill(self) -> bool:
        """Kill the program and its children. Return whether the program was running."""
        if self._process is None or self._process.returncode is not None:
            return False
        kill_group(self._process.pid)
        return True

    def _read_output(self, process: Process) -> None:
        if self._show is not None and process.stdout is not None:
            self._reading = asyncio.create_task(self._show_lines(process.stdout, self._show))

    async def _show_lines(self, output: asyncio.StreamReader, show: Callable[[str], None]) -> None:
        """Show each line, however long: StreamReader.readline would reject a long line."""
        rest = b""
        while block := await output.read(65536):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._last_lines.append(line.decode(errors="replace").rstrip())
                show(self._last_lines[-1])
        if rest:
            show(rest.decode(errors="replace").rstrip())

    def _failure(self, code: int | None) -> DidNotStart:
        """Return the error, with the last lines of the output; only one if all have been shown."""
        if self._show is None:
            with suppress(OSError):
                self._last_lines.extend(self.log.read_text(errors="replace").strip().splitlines())
        lines = [line for line in self._last_lines if line]
        return DidNotStart(self.name, code, lines, max_lines=3 if self._show is None else 1)
