"""`just up` with small programs instead of the API and the worker."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from app.embedded.__main__ import down, env, reset
from app.embedded.ports import LOOPBACK, is_listening
from app.embedded.postgres import fallback_folder
from app.event_loop import DUPLICATE_SIGNAL_S
from tests.embedded.running import registered, small_environment, small_up
from tests.support.processes import is_alive
from tests.support.working import until


async def test_up_prints_the_urls_and_leaves_no_process_after_sigterm(home: Path) -> None:
    environ = small_environment()
    async with small_up(home, environ) as up:
        await up.read_until("grace@example.org")
        pids = registered(home)
        variables = (home / "env").read_text()
        children = [psutil.Process(pids[name]).environ() for name in ("api", "worker")]
        up.process.terminate()
        code = await up.end()

    assert code == 0
    assert "MIGRATIONS_DATABASE_URL=postgresql://activelog:" in variables
    assert not any("MIGRATIONS_DATABASE_URL" in environ for environ in children)
    assert {"postgres", "valkey", "api", "worker"} == set(pids)
    assert not any(is_alive(pid) for pid in pids.values())
    assert f"http://127.0.0.1:{environ['PORT']}/schema" in up.text
    assert f"PORT={environ['PORT']}" in variables
    assert up.text.index("migrated") < up.text.index("demo data") < up.text.index("api     | pid")


async def test_taken_default_port_is_reported_with_its_replacement(home: Path) -> None:
    environ = small_environment()
    del environ["PORT"], environ["API_METRICS_PORT"], environ["METRICS_PORT"]
    async with small_up(home, environ, "durable") as up:
        with ExitStack() as sockets:
            for port in (8000, 9101, 9100, 5432, 6379):
                sockets.enter_context(taken(port))
            await up.read_until("grace@example.org")
        variables = (home / "env").read_text()
        up.process.terminate()
        await up.end()

    moved = re.findall(r"port (\d+) is taken: (.+) listens on (\d+) instead", up.text)
    assert {(default, service) for default, service, _ in moved} == {
        ("8000", "the API"),
        ("9101", "the API's metrics"),
        ("9100", "the worker"),
        ("5432", "Postgres"),
        ("6379", "Valkey"),
    }
    assert all(re.search(rf"[:=]{port}\b", variables) for _, _, port in moved)
    assert up.text.rindex("is taken") < up.text.index("ready after")


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Take the port, unless another process has already taken it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind((LOOPBACK, port))
            listener.listen()
        yield


async def test_second_up_is_refused(home: Path) -> None:
    async with small_up(home, small_environment()) as first:
        await first.read_until("ready")
        async with small_up(home, small_environment()) as second:
            code = await second.end()

    assert code == 1
    assert second.lines == ["already running"]


async def test_while_up_is_running_env_prints_its_variables_and_down_stops_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        printed = env(home=home)
        stopped = down(home=home)
        code = await up.end()

    assert (printed, stopped, code) == (0, 0, 0)
    assert "DATABASE_URL=postgresql://" in capsys.readouterr().out


def test_down_succeeds_and_env_fails_when_nothing_is_running(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert down(home=home) == 0
    assert env(home=home) == 1
    assert "nothing is running" in capsys.readouterr().err


async def test_killed_child_and_server_are_restarted_on_the_same_ports(home: Path) -> None:
    async with small_up(home, environ := small_environment()) as up:
        await up.read_until("ready")
        before = registered(home)
        ports = {"api": int(environ["PORT"]), "valkey": port_of(before["valkey"])}
        for name in ports:
            os.kill(before[name], signal.SIGKILL)
        await until(lambda: not any(is_alive(before[name]) for name in ports))
        await until(lambda: all(listens_on(home, name, port) for name, port in ports.items()))
        up.process.terminate()
        code = await up.end()

    assert code == 0
    assert "api was killed by SIGKILL: restarting in 0.5 s" in up.text


def port_of(pid: int) -> int:
    connections = psutil.Process(pid).net_connections("tcp")
    return next(int(conn.laddr.port) for conn in connections if conn.status == psutil.CONN_LISTEN)


def listens_on(home: Path, name: str, port: int) -> bool:
    pid = registered(home).get(name)
    return pid is not None and is_listening(pid, port)


async def test_up_exits_with_the_code_of_a_child_that_rejects_its_settings(home: Path) -> None:
    async with small_up(home, small_environment(), "reject settings") as up:
        code = await up.end()

    assert code == 2
    assert "api     | SECRET_KEY is not set" in up.lines
    assert registered(home) == {}


async def test_child_with_a_taken_port_is_reported_and_not_restarted(home: Path) -> None:
    async with small_up(home, small_environment(), "port taken") as up:
        code = await up.end()

    assert code == 3
    assert up.lines.count("api     | bye") == 1
    assert "up      | api exited with code 3: [Errno 98] address already in use" in up.lines


async def test_second_interrupt_kills_a_child_that_ignores_sigterm(home: Path) -> None:
    async with small_up(home, small_environment(SHUTDOWN_GRACE="60"), "ignore SIGTERM") as up:
        await up.read_until("ready")
        pids = registered(home)
        up.process.send_signal(signal.SIGINT)
        await up.read_until("stopping")
        await asyncio.sleep(DUPLICATE_SIGNAL_S + 0.1)
        up.process.send_signal(signal.SIGINT)
        code = await up.end()

    assert code == 130
    assert not any(is_alive(pid) for pid in pids.values())


async def test_duplicate_signals_do_not_kill_the_children(home: Path) -> None:
    async with small_up(home, small_environment(), "slow signals") as up:
        await up.read_until("ready")
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            up.process.send_signal(number)
        code = await up.end()

    assert code == 0


async def test_guard_stops_everything_when_up_is_killed(home: Path) -> None:
    home.parent.chmod(0o700)  # if we are root, this forces the fallback folder
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        pids = registered(home)
        up.process.kill()
        await up.process.wait()
        await until(lambda: not registered(home))

    assert not any(is_alive(pid) for pid in pids.values())
    assert not exists(fallback_folder(home))


async def test_up_stops_what_is_left_of_an_up_that_was_killed_together_with_its_guard(
    home: Path,
) -> None:
    async with small_up(home, small_environment()) as killed:
        await killed.read_until("ready")
        pids = registered(home)
        children = psutil.Process(killed.process.pid).children()
        (guard,) = [child for child in children if child.pid not in pids.values()]
        guard.kill()
        killed.process.kill()
        await killed.process.wait()
    assert [name for name, pid in pids.items() if not is_alive(pid)] == []

    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        left = [pid for pid in pids.values() if is_alive(pid)]
        up.process.terminate()
        code = await up.end()

    assert (left, code) == ([], 0)
    assert "stopped processes left over from an earlier `up`: worker, api" in up.text


async def test_external_database_gets_no_demo_data_and_its_password_is_not_printed(
    home: Path,
) -> None:
    environ = small_environment(DATABASE_URL="postgresql://me:hush@db.example.org/app")
    async with small_up(home, environ) as up:
        await up.read_until("ready")
        up.process.terminate()
        await up.end()

    assert "demo skipped" in up.text
    assert "example.org/app" in up.text
    assert "hush" not in up.text
    assert "ada@" not in up.text


async def test_reset_stops_a_running_just_up_and_removes_its_data(home: Path) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        code = reset(home=home)
        await up.end()

    assert code == 0
    assert not exists(home)
    assert not exists(fallback_folder(home))


def exists(folder: Path) -> bool:
    return folder.exists()
