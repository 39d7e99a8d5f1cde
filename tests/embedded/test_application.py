"""The variables for the child processes, the output of `just env`, and masked passwords."""

from __future__ import annotations

import shlex
import socket
import stat
from pathlib import Path

import pytest

from app.embedded.application import child_variables, write_env_file
from app.embedded.console import without_password
from app.embedded.ports import LOOPBACK


def test_settings_of_embedded_servers_override_the_environment_and_a_given_port_is_kept() -> None:
    environ = {"PORT": "7777", "AWS_ACCESS_KEY_ID": "set by the user", "OTHER": "x", "HOST": ""}
    found = child_variables(environ, {"AWS_ACCESS_KEY_ID": "activelog"})

    assert found["PORT"] == "7777"
    assert found["APP_URL"] == "http://127.0.0.1:7777"
    assert found["AWS_ACCESS_KEY_ID"] == "activelog"
    assert found["OTHER"] == "x"
    assert found["HOST"] == LOOPBACK
    assert found["ENVIRONMENT"] == "development"


def test_taken_default_port_is_not_used() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((LOOPBACK, 8000))
            taken.listen()
        except OSError:
            pass  # another process has already taken the port: just as good
        assert child_variables({}, {})["PORT"] != "8000"


def test_env_file_is_valid_shell_readable_only_by_its_owner_and_has_no_secret_key(
    tmp_path: Path,
) -> None:
    file = tmp_path / "env"
    write_env_file(file, {"SMTP_URL": "smtp://h?a=1&b=2", "PORT": "1", "SECRET_KEY": "hush"})

    words = shlex.split(file.read_text())
    assert words == ["SMTP_URL=smtp://h?a=1&b=2", "PORT=1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@db:5432/app?x=1", "postgresql://me:***@db:5432/app?x=1"),
        ("redis://:hush@cache/0", "redis://:***@cache/0"),
        ("smtp://127.0.0.1:25", "smtp://127.0.0.1:25"),
    ],
)
def test_password_in_a_url_is_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown
