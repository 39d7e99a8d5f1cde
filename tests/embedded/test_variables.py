"""What the children are told, and what `just env` prints."""

from __future__ import annotations

import shlex
import socket
import stat
from pathlib import Path

from app.embedded.ports import LOOPBACK
from app.embedded.variables import keep_variables, variables_of_children


def test_embedded_servers_come_before_the_environment_and_given_ports_stay() -> None:
    environ = {"PORT": "7777", "AWS_ACCESS_KEY_ID": "of the user", "OTHER": "x", "HOST": ""}
    found = variables_of_children(environ, {"AWS_ACCESS_KEY_ID": "activelog"})

    assert found["PORT"] == "7777"
    assert found["APP_URL"] == "http://127.0.0.1:7777"
    assert found["AWS_ACCESS_KEY_ID"] == "activelog"
    assert found["OTHER"] == "x"
    assert found["HOST"] == LOOPBACK
    assert found["ENVIRONMENT"] == "development"


def test_the_usual_port_when_taken_is_left_to_its_owner() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((LOOPBACK, 8000))
            taken.listen()
        except OSError:
            pass  # somebody has it already, which is the case in point
        assert variables_of_children({}, {})["PORT"] != "8000"


def test_env_can_be_read_by_a_shell_and_by_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "env"
    keep_variables(file, {"SMTP_URL": "smtp://h?a=1&b=2", "PORT": "1", "SECRET_KEY": "hush"})

    words = shlex.split(file.read_text())
    assert words == ["SMTP_URL=smtp://h?a=1&b=2", "PORT=1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
