"""`just up`, with small children in place of the API and the worker."""

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

from app.embedded.commands import down, env, reset
from app.embedded.ports import LOOPBACK, listens
from app.embedded.postgres import place_aside
from app.embedded.up import SAME_SIGNAL
from tests.embedded.running import registered, small_environment, small_up
from tests.support.processes import is_alive
from tests.support.working import until


async def test_it_prints_one_table_and_leaves_no_process_on_sigterm(home: Path) -> None:
    environ = small_environment()
    async with small_up(home, environ) as up:
        await up.read_until("grace@example.org")
        pids = registered(home)
        variables = (home / "env").read_text()
        up.process.terminate()
        code = await up.end()

    assert code == 0
    assert {"postgres", "valkey", "api", "worker"} == set(pids)
    assert not any(is_alive(pid) for pid in pids.values())
    assert f"http://127.0.0.1:{environ['PORT']}/schema" in up.text
    assert f"PORT={environ['PORT']}" in variables
    assert up.text.index("migrated") < up.text.index("demo data") < up.text.index("api     | pid")


async def test_a_usual_port_that_is_taken_is_named_with_the_one_instead(home: Path) -> None:
    environ = small_environment()
    del environ["PORT"], environ["METRICS_PORT"]
    async with small_up(home, environ, "durable") as up:
        with ExitStack() as held:
            for port in (8000, 9100, 5432, 6379):
                held.enter_context(taken(port))
            await up.read_until("grace@example.org")
        variables = (home / "env").read_text()
        up.process.terminate()
        await up.end()

    moved = re.findall(r"port (\d+) is taken: (.+) listens on (\d+) instead", up.text)
    assert {(usual, who) for usual, who, _ in moved} == {
        ("8000", "the API"),
        ("9100", "the worker"),
        ("5432", "Postgres"),
        ("6379", "Valkey"),
    }
    assert all(re.search(rf"[:=]{port}\b", variables) for _, _, port in moved)
    assert up.text.rindex("is taken") < up.text.index("ready after")


@contextmanager
def taken(port: int) -> Iterator[None]:
    """By this test, or by somebody who has it already."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            holder.bind((LOOPBACK, port))
            holder.listen()
        yield


async def test_a_second_up_is_refused(home: Path) -> None:
    async with small_up(home, small_environment()) as first:
        await first.read_until("ready")
        async with small_up(home, small_environment()) as second:
            code = await second.end()

    assert code == 1
    assert second.lines == ["it runs already"]


async def test_env_and_down_find_the_running_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        printed = env(home)
        stopped = down(home)
        code = await up.end()

    assert (printed, stopped, code) == (0, 0, 0)
    assert "DATABASE_URL=postgresql://" in capsys.readouterr().out


def test_down_and_env_say_that_nothing_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert down(home) == 0
    assert env(home) == 1
    assert "nothing is running" in capsys.readouterr().err


async def test_a_killed_child_and_a_killed_server_come_back_where_they_were(home: Path) -> None:
    async with small_up(home, environ := small_environment()) as up:
        await up.read_until("ready")
        before = registered(home)
        ports = {"api": int(environ["PORT"]), "valkey": port_of(before["valkey"])}
        for name in ports:
            os.kill(before[name], signal.SIGKILL)
        await until(lambda: not any(is_alive(before[name]) for name in ports))
        await until(lambda: all(holds(home, name, port) for name, port in ports.items()))
        up.process.terminate()
        code = await up.end()

    assert code == 0
    assert "api was ended by SIGKILL: it is started again in 0.5 s" in up.text


def port_of(pid: int) -> int:
    found = psutil.Process(pid).net_connections("tcp")
    return next(int(one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN)


def holds(home: Path, name: str, port: int) -> bool:
    pid = registered(home).get(name)
    return pid is not None and listens(pid, port)


async def test_a_child_that_refuses_its_settings_ends_all_with_its_code(home: Path) -> None:
    async with small_up(home, small_environment(), "refuse") as up:
        code = await up.end()

    assert code == 2
    assert "api     | SECRET_KEY is not set" in up.lines
    assert registered(home) == {}


async def test_a_child_whose_port_is_taken_is_not_tried_again_and_says_so(home: Path) -> None:
    async with small_up(home, small_environment(), "port taken") as up:
        code = await up.end()

    assert code == 3
    assert up.lines.count("api     | bye") == 1
    assert "up      | api ended with code 3: [Errno 98] address already in use" in up.lines


async def test_a_second_interrupt_kills_a_child_that_does_not_listen(home: Path) -> None:
    async with small_up(home, small_environment(SHUTDOWN_GRACE="60"), "deaf") as up:
        await up.read_until("ready")
        pids = registered(home)
        up.process.send_signal(signal.SIGINT)
        await up.read_until("stopping")
        await asyncio.sleep(SAME_SIGNAL + 0.1)
        up.process.send_signal(signal.SIGINT)
        code = await up.end()

    assert code == 130
    assert not any(is_alive(pid) for pid in pids.values())


async def test_one_signal_that_comes_twice_still_lets_children_finish(home: Path) -> None:
    async with small_up(home, small_environment(), "slow signals") as up:
        await up.read_until("ready")
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            up.process.send_signal(number)
        code = await up.end()

    assert code == 0


async def test_when_it_is_killed_its_guard_ends_everything(home: Path) -> None:
    home.parent.chmod(0o700)  # for root: the cluster is kept aside
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        pids = registered(home)
        up.process.kill()
        await up.process.wait()
        await until(lambda: not registered(home))

    assert not any(is_alive(pid) for pid in pids.values())
    assert not is_there(place_aside(home))


async def test_what_a_killed_up_and_its_killed_guard_left_is_ended_by_the_next(
    home: Path,
) -> None:
    async with small_up(home, small_environment()) as killed:
        await killed.read_until("ready")
        pids = registered(home)
        everything = psutil.Process(killed.process.pid).children()
        (guard,) = [one for one in everything if one.pid not in pids.values()]
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
    assert "ended what an earlier `up` left: worker, api" in up.text


async def test_demo_data_and_published_logins_stay_out_of_a_database_of_somebody_else(
    home: Path,
) -> None:
    environ = small_environment(DATABASE_URL="postgresql://me:hush@db.example.org/app")
    async with small_up(home, environ) as up:
        await up.read_until("ready")
        up.process.terminate()
        await up.end()

    assert "demo left out" in up.text
    assert "example.org/app" in up.text
    assert "hush" not in up.text
    assert "ada@" not in up.text


async def test_reset_removes_everything(home: Path) -> None:
    async with small_up(home, small_environment()) as up:
        await up.read_until("ready")
        code = reset(home)
        await up.end()

    assert code == 0
    assert not is_there(home)
    assert not is_there(place_aside(home))


def is_there(folder: Path) -> bool:
    return folder.exists()
