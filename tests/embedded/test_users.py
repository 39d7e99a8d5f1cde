"""`just up`, run by a different user than before, and by a user without a name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.embedded.__main__ import describe_permission_error, down, env, reset, start
from app.embedded.daemon import Workspace
from app.embedded.home import LOCK_FILE, lock, make_home
from app.embedded.postgres import UnnamedUser, fallback_folder, require_named_user
from app.embedded.registry import ProcessRegistry, RegistryEntry, clean_up
from app.embedded.s3 import S3, SOCKETS, ports_with_foreign_sockets
from app.embedded.up import up

PORT = 64_321
ANOTHER, THIRD = 64_001, 64_002
"""User ids that do not exist."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users")


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Access files with this user's permissions while the block runs."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


def start_small(*, home: Path) -> int:
    return up(home, {})


@as_root
@pytest.mark.parametrize("command", [start_small, down, env, reset])
def test_home_of_another_user_is_reported_with_a_remedy(
    home: Path, command: Callable[..., int]
) -> None:
    with lock(make_home(home) / LOCK_FILE):
        pass
    with acting_as(ANOTHER), pytest.raises(PermissionError) as refused:
        command(home=home)
    with acting_as(ANOTHER):
        message = describe_permission_error(refused.value, home)

    assert message == (
        f"{home}/lock belongs to another user: run `just reset` as that user, or remove all data"
        f" with `sudo rm -rf {home} {fallback_folder(home)}`"
    )


@as_root
def test_home_that_cannot_be_created_is_not_attributed_to_another_user(home: Path) -> None:
    with acting_as(ANOTHER), pytest.raises(PermissionError) as refused:
        start_small(home=home)
    with acting_as(ANOTHER):
        assert describe_permission_error(refused.value, home) == f"{home}: Permission denied"


def test_user_without_a_name_is_rejected() -> None:
    require_named_user(os.geteuid())
    with pytest.raises(
        UnnamedUser, match="id 64001 has no entry in /etc/passwd, which Postgres requires"
    ):
        require_named_user(ANOTHER)


@as_root
def test_up_creates_nothing_for_a_user_without_a_name(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with acting_as(ANOTHER):
        code = start(home=home)

    assert code == 2
    assert "set DATABASE_URL" in capsys.readouterr().err
    assert not home.exists()


@pytest.fixture
def foreign_socket() -> Iterator[Path]:
    """Yield a file in place of a socket that another user's killed SeaweedFS has left behind."""
    file = SOCKETS / f"seaweedfs-s3-{PORT}.sock"
    file.touch()
    os.chown(file, ANOTHER, ANOTHER)
    yield file
    file.unlink()


@as_root
def test_port_of_another_users_socket_counts_as_taken(foreign_socket: Path) -> None:
    with acting_as(THIRD):
        assert PORT in ports_with_foreign_sockets()
    with acting_as(ANOTHER):
        assert PORT not in ports_with_foreign_sockets()
    assert PORT not in ports_with_foreign_sockets()  # root may remove the socket


@as_root
def test_s3_avoids_the_port_of_another_users_socket(home: Path, foreign_socket: Path) -> None:
    registry = ProcessRegistry(home / "processes.json")
    server = S3(Workspace(home, registry, durable=True, fixed_port=PORT))
    with acting_as(THIRD):
        server.choose_ports()
        assert server.port != PORT
    with acting_as(ANOTHER):
        server.choose_ports()
        assert server.port == PORT


@as_root
def test_clean_up_keeps_another_users_file(foreign_socket: Path) -> None:
    with acting_as(THIRD):
        clean_up(RegistryEntry("s3", 1, 0.0, 15, (str(foreign_socket),)))
    assert foreign_socket.exists()
