"""A program that is started, answers, and is stopped: a server, the API, the worker."""

from __future__ import annotations

import asyncio
import signal
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from app import process_priority
from app.embedded.accounts import Account, as_account
from app.embedded.disk import lines_of_full_disk
from app.embedded.ports import free_ports, listens, usual_or_free
from app.embedded.register import Register, kill_group

PORT_TAKEN = "address already in use"


class DidNotStart(Exception):
    """A program ended, or did not answer in time. Bears its exit code and why it ended."""

    def __init__(self, name: str, code: int | None, output: Sequence[str], most: int = 3) -> None:
        """
        Args:
            most: lines to cite from its end when none of them is known to be the reason.
        """
        what = "does not answer" if code is None else f"ended with code {code}"
        full = lines_of_full_disk(output)
        taken = [line for line in output if PORT_TAKEN in line.lower()]
        why = next(iter(full + taken), " / ".join(output[-most:]))
        super().__init__(f"{name} {what}: {why}" if why else f"{name} {what}")
        self.code = code
        self.disk_is_full = bool(full)
        self.port_was_taken = bool(taken)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that the programs keep their files in, and how careful they are with them."""

    home: Path
    register: Register
    durable: bool
    """False for tests: nothing is synced to the disk, and every port is any free one."""
    fixed_port: int | None = None
    """Port of the only server here: known before it starts, kept across restarts."""

    def folder(self, name: str) -> Path:
        folder = self.home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def port(self, usual: int) -> int:
        if self.fixed_port is not None:
            return self.fixed_port
        return usual_or_free(usual) if self.durable else free_ports(1)[0]


class Daemon(ABC):
    """One program. `start` returns once it answers; `stop` once it and its children are gone."""

    name: str
    stop_signal = signal.SIGTERM
    grace = 10.0
    """Seconds between asking it to stop and killing it."""
    within = 30.0
    """Seconds that it may take until it answers."""
    attempts = 3
    """How often it is given other ports when something took its own first."""
    notices_room_late = False
    """Whether it must be restarted to notice soon that a full disk has room again."""
    niceness = 0
    """How far it lets other programs go first."""

    port = 0
    """Where it must itself be listening; 0 when `answers` knows whom it asks."""

    def __init__(self, place: Place, show: Callable[[str], None] | None = None) -> None:
        """`show` takes its lines as they come; without it they go to a log file."""
        self.place = place
        self._show = show
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last_lines: deque[str] = deque(maxlen=20)

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    @abstractmethod
    async def answers(self) -> bool: ...

    def settings(self) -> dict[str, str]:
        """The variables by which others find it."""
        return {}

    def choose_ports(self) -> None:  # noqa: B027 # few have any
        """Called before each attempt of the first start; a restart keeps its ports."""

    def usual_ports(self) -> Mapping[str, tuple[int, int]]:
        """What listens: on which port usually, and on which now."""
        return {}

    async def prepare(self) -> None:  # noqa: B027 # few need it
        """Called before every start."""

    def environment(self) -> Mapping[str, str] | None:
        """None inherits this process's."""
        return None

    def working_folder(self) -> Path:
        return self.place.home

    def account(self) -> Account | None:
        return None

    def litter(self) -> Sequence[Path]:
        return ()

    @property
    def log(self) -> Path:
        return self.place.folder("logs") / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it and wait until it answers. When that fails, nothing is left running.

        Raises:
            DidNotStart: it ended or stayed silent, also with other ports.
        """
        for attempt in range(1, self.attempts + 1):
            self.choose_ports()
            try:
                return await self._start_here()
            except DidNotStart as error:
                if attempt == self.attempts or not error.port_was_taken:
                    raise
        return None

    async def _start_here(self) -> None:
        await self.spawn()
        try:
            await self._until_it_answers()
        except BaseException:
            await self.stop()
            raise

    async def _until_it_answers(self) -> None:
        patience = self.within if self.place.durable else 4 * self.within
        deadline = time.monotonic() + patience
        while not (await self.answers() and self._is_the_one_that_answers()):
            if self._process is None or self._process.returncode is not None:
                raise self._failure(await self.wait())
            if time.monotonic() > deadline:
                raise self._failure(None)
            await asyncio.sleep(0.02)

    def _is_the_one_that_answers(self) -> bool:
        """Another of its kind may have taken the port, while this one is about to find out."""
        return not self.port or (self.pid is not None and listens(self.pid, self.port))

    async def spawn(self) -> None:
        """Start it without waiting for its answer."""
        await self.prepare()
        account = self.account()
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
                **as_account(account),
            )
        self.place.register.add(self._process.pid, self.name, self.stop_signal, self.litter())
        if self.niceness:
            process_priority.have_give_way(self._process.pid, self.niceness)
        self._read_output(self._process)

    async def wait(self) -> int:
        """Until it has ended, and its group with it: its exit code, negative for a signal."""
        if self._process is None:
            return 0
        process = self._process
        code = await process.wait()
        if self.place.register.remove(process.pid):
            kill_group(process.pid)  # what it started and left behind
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=1)
        return code

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        process = self._process
        if process is None:
            return
        try:
            with suppress(ProcessLookupError, TimeoutError):
                process.send_signal(self.stop_signal)
                async with asyncio.timeout(self.grace):
                    await process.wait()
        finally:
            self.kill()
            await self.wait()
            self._process = None

    def kill(self) -> bool:
        """Kill it and what it started, if it runs; whether it did."""
        if self._process is None or self._process.returncode is not None:
            return False
        kill_group(self._process.pid)
        return True

    def _read_output(self, process: Process) -> None:
        if self._show is not None and process.stdout is not None:
            self._reading = asyncio.create_task(self._show_lines(process.stdout, self._show))

    async def _show_lines(self, output: asyncio.StreamReader, show: Callable[[str], None]) -> None:
        """In blocks: StreamReader's own lines have a largest length, and raise beyond it."""
        rest = b""
        while block := await output.read(65536):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._last_lines.append(line.decode(errors="replace").rstrip())
                show(self._last_lines[-1])
        if rest:
            show(rest.decode(errors="replace").rstrip())

    def _failure(self, code: int | None) -> DidNotStart:
        """It cites the end of its output; of what was shown already, one line."""
        if self._show is None:
            with suppress(OSError):
                self._last_lines.extend(self.log.read_text(errors="replace").strip().splitlines())
        lines = [line for line in self._last_lines if line]
        return DidNotStart(self.name, code, lines, most=3 if self._show is None else 1)
