"""`just up` stops when its terminal closes, unless its output goes to a file."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.embedded.home import lock_holder
from tests.embedded.running import SMALL_UP, registered, small_environment, small_up
from tests.support.processes import is_alive
from tests.support.working import WAIT_LIMIT_S, until

LEADER = """
import fcntl, signal, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, lambda *_: None)
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
"""A session leader that ignores SIGHUP, as `uv` does. When a terminal closes, the kernel sends
SIGHUP only to the leader of its session."""


@asynccontextmanager
async def up_on_a_terminal(
    home: Path, output: Path | None = None
) -> AsyncIterator[tuple[Process, int]]:
    """Run `small_up.py`. Yield its session leader and its terminal, for the test to close.

    Args:
        output: a file for the output; None for the terminal, whose buffer has room for it.
    """
    terminal, end = pty.openpty()
    opened = os.dup(end) if output is None else os.open(output, os.O_CREAT | os.O_WRONLY)
    leader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LEADER, sys.executable, str(SMALL_UP), str(home), ""),
        stdin=end, stdout=opened, stderr=end, start_new_session=True, env=small_environment(),
    )  # fmt: skip
    os.close(end)
    os.close(opened)
    try:
        await until((home / "env").exists)
        yield leader, terminal
    finally:
        if leader.returncode is None:
            os.killpg(leader.pid, signal.SIGKILL)
        await leader.wait()
        await until(lambda: not registered(home))


async def ended(process: Process) -> int:
    async with asyncio.timeout(WAIT_LIMIT_S):
        return await process.wait()


async def test_up_stops_when_its_terminal_closes(home: Path) -> None:
    async with up_on_a_terminal(home) as (leader, terminal):
        pids = registered(home)
        os.close(terminal)
        code = await ended(leader)

    assert code == 0
    assert len(pids) == 4
    assert not any(is_alive(pid) for pid in pids.values())


async def test_up_keeps_running_after_its_terminal_closes_if_output_goes_to_a_file(
    home: Path, tmp_path: Path
) -> None:
    async with up_on_a_terminal(home, tmp_path / "log") as (leader, terminal):
        os.close(terminal)
        await restarted(home, "api")
        up = lock_holder(home / "lock")
        assert up is not None
        up.terminate()
        code = await ended(leader)

    assert code == 0


async def test_sighup_is_ignored_without_a_terminal(home: Path) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        up.process.send_signal(signal.SIGHUP)
        await restarted(home, "api")
        up.process.terminate()
        code = await up.end()

    assert code == 0
    assert up.text.index("restarting") < up.text.index("stopping")


async def restarted(home: Path, name: str) -> None:
    """Kill a process and wait for its restart, which proves that `up` is not stopping."""
    killed = registered(home)[name]
    os.kill(killed, signal.SIGKILL)
    await until(lambda: registered(home).get(name, killed) != killed)
