"""Sockets that SeaweedFS left in the temporary folder, where other users' files are as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.daemon import Place
from app.embedded.register import Entry, Register, sweep
from app.embedded.s3 import S3, SOCKETS, ports_of_foreign_sockets
from tests.embedded.users import A_THIRD, ANOTHER, acting_as, as_root

PORT = 64_321


@pytest.fixture
def foreign_socket() -> Iterator[Path]:
    """What a killed SeaweedFS of another user leaves."""
    file = SOCKETS / f"seaweedfs-s3-{PORT}.sock"
    file.touch()
    os.chown(file, ANOTHER, ANOTHER)
    yield file
    file.unlink()


@as_root
def test_the_port_of_another_users_socket_counts_as_taken(foreign_socket: Path) -> None:
    with acting_as(A_THIRD):
        assert PORT in ports_of_foreign_sockets()
    with acting_as(ANOTHER):
        assert PORT not in ports_of_foreign_sockets()
    assert PORT not in ports_of_foreign_sockets()  # root may remove it


@as_root
def test_s3_chooses_another_port_than_that_of_another_users_socket(
    home: Path, foreign_socket: Path
) -> None:
    register = Register(home / "processes.json")
    server = S3(Place(home, register, durable=True, fixed_port=PORT))
    with acting_as(A_THIRD):
        server.choose_ports()
        assert server.port != PORT
    with acting_as(ANOTHER):
        server.choose_ports()
        assert server.port == PORT


@as_root
def test_another_users_file_is_not_swept_up(foreign_socket: Path) -> None:
    with acting_as(A_THIRD):
        sweep(Entry("s3", 1, 0.0, 15, (str(foreign_socket),)))
    assert foreign_socket.exists()
