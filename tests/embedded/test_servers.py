"""The servers respond, keep their data if durable, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib
import asyncpg
import psutil
import pytest
from cryptography import x509
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from app import process_priority
from app.embedded.daemon import DidNotStart
from app.embedded.home import make_home
from app.embedded.inbox import Inbox
from app.embedded.ports import LOOPBACK, default_or_free_port, free_ports, http_status
from app.embedded.s3 import self_signed_certificate, signed_headers
from app.embedded.servers import SERVER_TYPES, servers
from app.embedded.wheels import seaweedfs
from tests.embedded.running import registered
from tests.support.processes import is_alive
from tests.support.working import until

ALL_GIVEN = dict.fromkeys(SERVER_TYPES, "given")


def only(*names: str) -> dict[str, str]:
    """Return an environment that names all other servers, so that only these are embedded."""
    return {name: value for name, value in ALL_GIVEN.items() if name not in names}


@contextmanager
def modes_unchanged(*folders: Path) -> Iterator[None]:
    """Assert that the block leaves the modes of all parent folders unchanged."""

    def modes() -> list[int]:
        return [
            stat.S_IMODE(parent.stat().st_mode) for folder in folders for parent in folder.parents
        ]

    before = modes()
    yield
    assert before == modes()


async def test_all_servers_respond_and_nothing_is_left_behind(home: Path) -> None:
    with modes_unchanged(home):
        async with servers(home, {}, durable=False) as env:
            pids = registered(home)
            cleanup_paths = existing_cleanup_paths(home)
            connection = await asyncpg.connect(env["DATABASE_URL"])
            assert await connection.fetchval("select current_database()") == "activelog"
            assert await connection.fetchval("show fsync") == "off"
            await connection.close()
            async with Redis.from_url(env["REDIS_URL"]) as redis:
                assert await redis.ping()
            bucket = f"{env['S3_ENDPOINT_URL']}/{env['S3_BUCKET']}"
            assert await http_status(bucket, "HEAD") == 403
            assert (
                await http_status(
                    bucket, "HEAD", signed_headers("HEAD", bucket, env["AWS_SECRET_ACCESS_KEY"])
                )
                == 200
            )
            await send_email(env["SMTP_URL"], "ada@example.org")
            (email,) = await Inbox(env["INBOX_FOLDER"]).wait_for("ADA@example.org")
            assert email.subject == "Hello"
            assert await http_status(env["INBOX_URL"]) == 200

    assert set(pids) == {"postgres", "valkey", "s3", "inbox"}
    assert not any(is_alive(pid) for pid in pids.values())
    assert cleanup_paths
    assert not any(path.exists() for path in cleanup_paths)


async def signed_status(env: Mapping[str, str], method: str, url: str) -> int | None:
    headers = signed_headers(method, url, env["AWS_SECRET_ACCESS_KEY"])
    return await http_status(url, method, headers)


def existing_cleanup_paths(home: Path) -> list[Path]:
    """Return the existing files and folders outside the home folder that must be removed."""
    entries = json.loads((home / "processes.json").read_text())
    paths = [Path(path) for entry in entries for path in entry["cleanup_paths"]]
    return [path for path in paths if path.exists()]


async def send_email(url: str, to: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@example.org", to, "Hello"
    message.set_content("Hello.")
    await aiosmtplib.send(message, hostname=LOOPBACK, port=urlsplit(url).port)


async def test_s3_runs_at_a_lower_priority_than_valkey(home: Path) -> None:
    async with servers(home, only("S3_ENDPOINT_URL", "REDIS_URL"), durable=False):
        nice = {
            name: os.getpriority(os.PRIO_PROCESS, pid) for name, pid in registered(home).items()
        }
    assert nice == {"valkey": os.nice(0), "s3": max(os.nice(0), process_priority.WORKER_NICENESS)}


async def test_given_url_replaces_the_embedded_server(home: Path) -> None:
    async with servers(home, only("REDIS_URL"), durable=False) as env:
        assert set(env) == {"REDIS_URL"}
        assert set(registered(home)) == {"valkey"}


def test_free_port_is_reserved_but_a_server_can_listen_on_it() -> None:
    (port,) = free_ports(1)
    with socket.socket() as search, pytest.raises(OSError, match="in use"):
        search.bind((LOOPBACK, port))
    with socket.create_server((LOOPBACK, port)):
        pass


async def test_free_port_is_chosen_if_the_default_is_taken() -> None:
    (port,) = free_ports(1)
    with socket.create_server((LOOPBACK, port)):
        assert default_or_free_port(port) != port
    assert default_or_free_port(port) == port


async def test_servers_that_want_the_same_default_port_at_once_all_start(home: Path) -> None:
    homes = [make_home(make_home(home) / name) for name in ("first", "second", "third")]

    async def url(of: Path) -> str:
        async with servers(of, only("REDIS_URL")) as env:
            await together.wait()
            return env["REDIS_URL"]

    together = asyncio.Barrier(len(homes))
    urls = await asyncio.gather(*map(url, homes))
    assert len(set(urls)) == len(homes)


async def test_data_survives_a_restart(home: Path) -> None:
    environ = only("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")
    async with servers(home, environ) as env:
        connection = await asyncpg.connect(env["MIGRATIONS_DATABASE_URL"])
        await connection.execute(
            "create table survivors (id int); insert into survivors values (7)"
        )
        await connection.close()
        async with Redis.from_url(env["REDIS_URL"]) as redis:
            await redis.set("survivor", "7")
        photo = f"{env['S3_ENDPOINT_URL']}/activelog/photo"
        assert (
            await http_status(
                photo, "PUT", signed_headers("PUT", photo, env["AWS_SECRET_ACCESS_KEY"])
            )
            == 200
        )
    async with servers(home, environ) as env:
        connection = await asyncpg.connect(env["MIGRATIONS_DATABASE_URL"])
        assert await connection.fetchval("select id from survivors") == 7
        await connection.close()
        async with Redis.from_url(env["REDIS_URL"]) as redis:
            assert await redis.get("survivor") == b"7"
        photo = f"{env['S3_ENDPOINT_URL']}/activelog/photo"
        assert (
            await http_status(
                photo, "GET", signed_headers("GET", photo, env["AWS_SECRET_ACCESS_KEY"])
            )
            == 200
        )


async def test_cancelled_start_leaves_no_process(home: Path) -> None:
    async def start_and_wait() -> None:
        async with servers(home, only("REDIS_URL", "S3_ENDPOINT_URL"), durable=False):
            await asyncio.Event().wait()

    task = asyncio.create_task(start_and_wait())
    await until(lambda: (home / "processes.json").exists() and len(registered(home)) == 2)
    pids = registered(home)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert set(pids) == {"valkey", "s3"}
    assert not any(is_alive(pid) for pid in pids.values())


async def test_other_servers_are_stopped_if_one_fails_to_start(home: Path) -> None:
    create_cluster_of_another_version(home)
    with pytest.raises(DidNotStart, match=r"created by Postgres 12, not \d+: remove all data"):
        async with servers(home, only("DATABASE_URL", "REDIS_URL"), durable=False):
            pass
    assert registered(home) == {}


def create_cluster_of_another_version(home: Path) -> None:
    folder = make_home(home) / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("12\n")


async def test_no_server_answers_a_user_of_this_machine_without_a_password(home: Path) -> None:
    async with servers(home, only("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")) as env:
        for name in ("DATABASE_URL", "MIGRATIONS_DATABASE_URL"):
            url = urlsplit(env[name])
            host = url.netloc.rpartition("@")[2]
            for login in (url.username, "postgres", f"{url.username}:activelog"):
                with pytest.raises(asyncpg.InvalidPasswordError):
                    await asyncpg.connect(url._replace(netloc=f"{login}@{host}").geturl())
        address = urlsplit(env["REDIS_URL"]).netloc.rpartition("@")[2]
        async with Redis.from_url(f"redis://{address}") as redis:
            with pytest.raises(AuthenticationError):
                await redis.ping()
        photo = f"{env['S3_ENDPOINT_URL']}/activelog/photo"
        for key in ("activelog-secret", "x"):
            assert await http_status(photo, "PUT", signed_headers("PUT", photo, key)) == 403
        for file in (home / "secret", home / "s3" / "key.pem", home / "valkey" / "password.conf"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_seaweedfs_serves_no_object_and_no_listing_beside_s3(home: Path) -> None:
    async with servers(home, only("S3_ENDPOINT_URL"), durable=False) as env:
        photo = f"{env['S3_ENDPOINT_URL']}/activelog/photo"
        assert await signed_status(env, "PUT", photo) == 200
        connections = psutil.Process(registered(home)["s3"]).net_connections("tcp")
        ports = {found.laddr.port for found in connections if found.status == psutil.CONN_LISTEN}
        assert len(ports) == 8
        for port in ports:
            for path in ("/buckets/activelog/photo", "/buckets/?limit=9", "/dir/assign", "/1,01"):
                status = await http_status(f"http://{LOOPBACK}:{port}{path}")
                assert status not in {200, 301, 302}, (port, path)
        shell = await asyncio.create_subprocess_exec(
            seaweedfs(), "shell", f"-master={LOOPBACK}:{master_port(home)}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, cwd=home, env={"HOME": str(home)},
        )  # fmt: skip
        try:
            async with asyncio.timeout(3):
                output, _ = await shell.communicate(b"fs.ls /buckets\nvolume.list\n")
            assert b"activelog" not in output
        except TimeoutError:  # it tries again and again to connect
            shell.kill()
            await shell.wait()


def master_port(home: Path) -> str:
    """Return the port of SeaweedFS's master, which names its folder after it."""
    (folder,) = (home / "s3").glob("m[0-9]*")
    return folder.name.removeprefix("m")


def test_certificate_of_the_bucket_is_valid_on_every_date() -> None:
    """SeaweedFS sees the true time even if a test shifts the clock, and clocks may be wrong."""
    certificate = x509.load_pem_x509_certificate(self_signed_certificate()[0])
    valid = certificate.not_valid_before_utc.year, certificate.not_valid_after_utc.year
    assert valid == (2000, 9999)
