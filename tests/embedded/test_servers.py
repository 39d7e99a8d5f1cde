"""The servers: they answer, keep their data when asked to, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib
import asyncpg
import pytest
from redis.asyncio import Redis

from app import process_priority
from app.embedded import Inbox, servers
from app.embedded.answers import http_status
from app.embedded.daemon import DidNotStart
from app.embedded.ports import LOOPBACK, free_ports, usual_or_free
from app.embedded.s3 import signed
from app.embedded.servers import KINDS, make_home
from tests.embedded.running import registered
from tests.support.processes import is_alive
from tests.support.working import until

ELSEWHERE = dict.fromkeys(KINDS, "given")


def only(*names: str) -> dict[str, str]:
    """An environment in which every other server is given."""
    return {name: value for name, value in ELSEWHERE.items() if name not in names}


@contextmanager
def modes_kept(*folders: Path) -> Iterator[None]:
    def modes() -> list[int]:
        return [stat.S_IMODE(one.stat().st_mode) for folder in folders for one in folder.parents]

    before = modes()
    yield
    assert before == modes()


async def test_all_of_them_answer_and_none_is_left(home: Path) -> None:
    with modes_kept(home):
        async with servers(home, {}, durable=False) as env:
            pids = registered(home)
            litter = litter_of(home)
            connection = await asyncpg.connect(env["DATABASE_URL"])
            assert await connection.fetchval("select current_database()") == "activelog"
            assert await connection.fetchval("show fsync") == "off"
            await connection.close()
            async with Redis.from_url(env["REDIS_URL"]) as redis:
                assert await redis.ping()
            bucket = f"{env['S3_ENDPOINT_URL']}/{env['S3_BUCKET']}"
            assert await http_status(bucket, "HEAD") == 403
            assert await http_status(bucket, "HEAD", signed("HEAD", bucket)) == 200
            await send_letter(env["SMTP_URL"], "ada@example.org")
            (letter,) = await Inbox(env["INBOX_FOLDER"]).wait_for("ADA@example.org")
            assert letter.subject == "Hello"
            assert await http_status(env["INBOX_URL"]) == 200

    assert set(pids) == {"postgres", "valkey", "s3", "inbox"}
    assert not any(is_alive(pid) for pid in pids.values())
    assert litter
    assert not any(one.exists() for one in litter)


def litter_of(home: Path) -> list[Path]:
    """The files outside of the home that are there now and shall go."""
    entries = json.loads((home / "processes.json").read_text())
    paths = [Path(path) for entry in entries for path in entry["litter"]]
    return [path for path in paths if path.exists()]


async def send_letter(url: str, to: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@example.org", to, "Hello"
    message.set_content("Hello.")
    await aiosmtplib.send(message, hostname=LOOPBACK, port=urlsplit(url).port)


async def test_the_bucket_alone_lets_others_go_first(home: Path) -> None:
    async with servers(home, only("S3_ENDPOINT_URL", "REDIS_URL"), durable=False):
        nice = {
            name: os.getpriority(os.PRIO_PROCESS, pid) for name, pid in registered(home).items()
        }
    assert nice == {"valkey": os.nice(0), "s3": max(os.nice(0), process_priority.WORKER)}


async def test_a_given_url_replaces_its_server(home: Path) -> None:
    async with servers(home, only("REDIS_URL"), durable=False) as env:
        assert set(env) == {"REDIS_URL"}
        assert set(registered(home)) == {"valkey"}


def test_a_free_port_is_kept_for_the_server_that_it_was_found_for() -> None:
    (port,) = free_ports(1)
    with socket.socket() as search, pytest.raises(OSError, match="in use"):
        search.bind((LOOPBACK, port))
    with socket.create_server((LOOPBACK, port)):
        pass


async def test_a_taken_port_leads_to_another() -> None:
    (port,) = free_ports(1)
    with socket.create_server((LOOPBACK, port)):
        assert usual_or_free(port) != port
    assert usual_or_free(port) == port


async def test_two_that_want_the_usual_port_at_once_both_start(home: Path) -> None:
    homes = [make_home(make_home(home) / name) for name in ("first", "second", "third")]

    async def url(of: Path) -> str:
        async with servers(of, only("REDIS_URL")) as env:
            await together.wait()
            return env["REDIS_URL"]

    together = asyncio.Barrier(len(homes))
    urls = await asyncio.gather(*map(url, homes))
    assert len(set(urls)) == len(homes)


async def test_data_is_found_again(home: Path) -> None:
    environ = only("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")
    async with servers(home, environ) as env:
        connection = await asyncpg.connect(env["DATABASE_URL"])
        await connection.execute("create table kept (id int); insert into kept values (7)")
        await connection.close()
        async with Redis.from_url(env["REDIS_URL"]) as redis:
            await redis.set("kept", "7")
        photo = f"{env['S3_ENDPOINT_URL']}/activelog/photo"
        assert await http_status(photo, "PUT", signed("PUT", photo)) == 200
    async with servers(home, environ) as env:
        connection = await asyncpg.connect(env["DATABASE_URL"])
        assert await connection.fetchval("select id from kept") == 7
        await connection.close()
        async with Redis.from_url(env["REDIS_URL"]) as redis:
            assert await redis.get("kept") == b"7"
        photo = f"{env['S3_ENDPOINT_URL']}/activelog/photo"
        assert await http_status(photo, "GET", signed("GET", photo)) == 200


async def test_a_cancelled_start_leaves_no_process(home: Path) -> None:
    async def forever() -> None:
        async with servers(home, only("REDIS_URL", "S3_ENDPOINT_URL"), durable=False):
            await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    await until(lambda: (home / "processes.json").exists() and len(registered(home)) == 2)
    pids = registered(home)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert set(pids) == {"valkey", "s3"}
    assert not any(is_alive(pid) for pid in pids.values())


async def test_one_that_fails_stops_the_others(home: Path) -> None:
    cluster_of_another_major(home)
    with pytest.raises(DidNotStart, match=r"made by Postgres 12, this is \d+: `just reset`"):
        async with servers(home, only("DATABASE_URL", "REDIS_URL"), durable=False):
            pass
    assert registered(home) == {}


def cluster_of_another_major(home: Path) -> None:
    folder = make_home(home) / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("12\n")
