"""Users other than the one who ran `just up` first, and users without a name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.embedded.accounts import Nameless, refuse_nameless_user
from app.embedded.commands import down, env, not_permitted, reset, start
from app.embedded.lock import lock
from app.embedded.postgres import place_aside
from app.embedded.servers import make_home
from app.embedded.up import LOCK, up
from tests.embedded.users import ANOTHER, acting_as, as_root


def start_small(home: Path) -> int:
    return up(home, {})


@as_root
@pytest.mark.parametrize("command", [start_small, down, env, reset])
def test_a_home_of_another_user_names_the_remedy(
    home: Path, command: Callable[[Path], int]
) -> None:
    with lock(make_home(home) / LOCK):
        pass
    with acting_as(ANOTHER), pytest.raises(PermissionError) as refused:
        command(home)
    with acting_as(ANOTHER):
        said = not_permitted(refused.value, home)

    assert said == (
        f"{home}/lock belongs to another user: run `just reset` as that user, or remove all of its"
        f" data with `sudo rm -rf {home} {place_aside(home)}`"
    )


@as_root
def test_a_home_that_cannot_be_made_is_not_said_to_be_another_users(home: Path) -> None:
    with acting_as(ANOTHER), pytest.raises(PermissionError) as refused:
        start_small(home)
    with acting_as(ANOTHER):
        assert not_permitted(refused.value, home) == f"{home}: Permission denied"


def test_a_user_without_a_name_is_told_before_anything_is_started() -> None:
    refuse_nameless_user(os.geteuid())
    with pytest.raises(Nameless, match="id 64001 has no entry in /etc/passwd, and Postgres needs"):
        refuse_nameless_user(ANOTHER)


@as_root
def test_up_as_a_user_without_a_name_makes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with acting_as(ANOTHER):
        code = start(home)

    assert code == 2
    assert "set DATABASE_URL" in capsys.readouterr().err
    assert not home.exists()
