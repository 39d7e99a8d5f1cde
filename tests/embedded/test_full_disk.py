"""`just up` recovers once a full disk has space again. It reports a full disk in one line."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.embedded.disks import fill
from tests.embedded.running import registered, small_environment, small_up
from tests.support.processes import is_alive
from tests.support.working import until


@pytest.mark.parametrize("disk", [160], indirect=True)
async def test_everything_recovers_when_the_disk_has_free_space_again(disk: Path) -> None:
    async with small_up(disk / "home", small_environment(S3_ENDPOINT_URL="")) as up:
        await up.read_until("ready")
        ballast = fill(disk)
        await up.read_until("too little space left in")
        for pid in registered(disk / "home").values():
            os.kill(pid, signal.SIGKILL)
        for _ in range(5):
            await up.read_until("was killed by SIGKILL: restarting in 0.5 s")
        ballast.unlink()
        await up.read_until("everything has recovered")
        pids = registered(disk / "home")
        alive = {name: is_alive(pid) for name, pid in pids.items()}
        up.process.terminate()
        code = await up.end()

    assert code == 0
    assert alive == dict.fromkeys(("postgres", "valkey", "s3", "api", "worker"), True)
    assert not any(is_alive(pid) for pid in pids.values())
    assert up.text.count("too little space left") == 1
    assert f"in {disk}/home (0 MiB free on {disk}): free some space" in up.text
    assert "Traceback" not in up.text


@pytest.mark.parametrize("disk", [160], indirect=True)
async def test_guard_stops_processes_started_while_the_disk_was_full(disk: Path) -> None:
    async with small_up(disk / "home", small_environment()) as up:
        await up.read_until("ready")
        before = registered(disk / "home")
        ballast = fill(disk)
        os.kill(before["api"], signal.SIGKILL)
        await up.read_until("api     | pid")  # the second api has started
        started = {child.pid for child in psutil.Process(up.process.pid).children()}
        written = registered(disk / "home")
        up.process.kill()
        await up.process.wait()
        await until(lambda: not any(is_alive(pid) for pid in started))
        ballast.unlink()

    assert written == before
    assert len(started - set(before.values())) == 2  # the second api and the guard


@pytest.mark.parametrize("disk", [30], indirect=True)
async def test_disk_too_small_for_the_cluster_is_reported_in_one_line(disk: Path) -> None:
    async with small_up(disk / "home", small_environment()) as up:
        code = await up.end()

    assert code == 1
    assert len(up.lines) == 2
    assert up.lines[0] == "up      | starting postgres, valkey"
    assert up.lines[1].startswith("up      | postgres exited with code 1: ")
    assert f"No space left on device: {disk}/home (" in up.lines[1]


@pytest.mark.parametrize("disk", [1], indirect=True)
async def test_disk_full_from_the_start_is_reported_in_one_line(disk: Path) -> None:
    fill(disk)
    async with small_up(disk / "home", small_environment()) as up:
        code = await up.end()

    assert code == 1
    assert up.lines == [f"up      | No space left on device: {disk}/home (0 MiB free on {disk})"]
