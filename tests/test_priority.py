"""Giving way to other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import priority
from app.pdf.artists import PROJECT

ON_LINUX = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="only Linux shares processors by sessions"
)
GIVES_WAY = """
import json, os, sys
from app import priority

for niceness in map(int, sys.argv[1:]):
    priority.give_way(niceness)
print(json.dumps([os.nice(0), priority.session_niceness(os.getpid())]))
"""


def given_way(*niceness: int, leads: bool = True, at_first: int = 0) -> object:
    """How nice a process, and its session, are in the end."""
    seen = subprocess.run(
        ["nice", "-n", str(at_first), sys.executable, "-c", GIVES_WAY, *map(str, niceness)],
        cwd=PROJECT,
        start_new_session=leads,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(seen.stdout)


@ON_LINUX
def test_a_session_gives_way_with_the_process_that_leads_it() -> None:
    assert given_way(17) == [17, 17]


@ON_LINUX
def test_a_process_that_leads_no_session_gives_way_within_it() -> None:
    assert given_way(17, leads=False) == [17, priority.session_niceness(os.getpid())]


@ON_LINUX
def test_giving_way_is_for_good() -> None:
    assert given_way(17, 3) == [17, 17]


@ON_LINUX
def test_a_session_gives_way_whose_leader_was_nice_already() -> None:
    assert given_way(16, at_first=17) == [17, 16]


@ON_LINUX
def test_a_process_that_was_started_gives_way_with_all_that_it_is() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        priority.have_give_way(process.pid, 17)
        seen = os.getpriority(os.PRIO_PROCESS, process.pid), priority.session_niceness(process.pid)
        process.communicate(b"\n")
    assert seen == (17, 17)


def test_one_that_has_ended_has_nothing_to_give() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        process.wait()
    priority.have_give_way(process.pid, 17)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Linux says, and is told, of the session that process 71 leads."""
    monkeypatch.setattr(priority, "PROC", tmp_path)
    (tmp_path / "71").mkdir()
    return tmp_path / "71" / "autogroup"


def test_what_began_before_any_session_is_in_none(session: Path) -> None:
    session.write_text("")
    assert priority.session_niceness(71) is None
    priority._have_session_give_way(71, 17)
    assert session.read_text() == ""


def test_where_nothing_is_shared_by_sessions_there_is_none(session: Path) -> None:
    assert priority.session_niceness(71) is None
    priority._have_session_give_way(71, 17)
    assert not session.exists()
