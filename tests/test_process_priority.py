"""Giving way to other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import process_priority
from app.pdf.renderer import PROJECT

OURS = process_priority.session_of("self")
NICENESS = max(17, os.nice(0))
"""The niceness of a test process that asks for 17: it inherits pytest's, which may be higher."""
ATTEMPTS = 3
"""How often a test asks for it: from all but root, Linux takes one change of a session in 100 ms of
the whole system, and others may be first each time."""


def new_session() -> str:
    """What the system says of a session that was just opened; empty: nothing."""
    command = ["cat", str(OURS)]
    return subprocess.run(command, start_new_session=True, capture_output=True, text=True).stdout


ON_LINUX = pytest.mark.skipif(
    "nice" not in new_session(), reason="only Linux shares processors out by sessions"
)
GIVES_WAY = """
import json, os, sys
from app import process_priority

for niceness in map(int, sys.argv[1:]):
    process_priority.give_way(niceness)
session = process_priority.session_of("self")
print(json.dumps([os.nice(0), process_priority.session_niceness(session)]))
"""


def given_way(*niceness: int, leads: bool = True, at_first: int = 0) -> list[int | None]:
    """How nice a process, and its session, are in the end."""
    given: list[int | None] = []
    for _ in range(ATTEMPTS):
        seen = subprocess.run(
            ["nice", "-n", str(at_first), sys.executable, "-c", GIVES_WAY, *map(str, niceness)],
            cwd=PROJECT,
            start_new_session=leads,
            capture_output=True,
            text=True,
            check=True,
        )
        given = json.loads(seen.stdout)
        if given[1] != 0:
            break
    return given


@ON_LINUX
def test_a_session_gives_way_with_the_process_that_leads_it() -> None:
    assert given_way(17) == [NICENESS, 17]


@ON_LINUX
def test_a_process_that_leads_no_session_gives_way_within_it() -> None:
    before = process_priority.session_niceness(OURS)
    assert given_way(17, leads=False) == [NICENESS, before]


@ON_LINUX
def test_giving_way_is_for_good() -> None:
    assert given_way(17, 3) == [NICENESS, 17]


@ON_LINUX
def test_a_session_gives_way_whose_leader_was_nice_already() -> None:
    assert given_way(16, at_first=17) == [min(19, os.nice(0) + 17), 16]


@ON_LINUX
def test_a_process_that_was_started_gives_way_with_all_that_it_is() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        session = process_priority.session_of(process.pid)
        for _ in range(ATTEMPTS):
            process_priority.have_give_way(process.pid, 17)
            if process_priority.session_niceness(session) != 0:
                break
        seen = (
            os.getpriority(os.PRIO_PROCESS, process.pid),
            process_priority.session_niceness(session),
        )
        process.communicate(b"\n")
    assert seen == (NICENESS, 17)


def test_one_that_has_ended_has_nothing_to_give() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        process.wait()
    process_priority.have_give_way(process.pid, 17)


@pytest.mark.parametrize("said", ["", "nothing that we know", None])
def test_where_the_system_does_not_say_how_it_shares_nothing_is_asked_of_it(
    said: str | None, tmp_path: Path
) -> None:
    session = tmp_path / "autogroup"
    if said is not None:
        session.write_text(said)
    assert process_priority.session_niceness(session) is None
    process_priority.have_session_give_way(session, 17)
    assert session.exists() == (said is not None)
    assert not session.exists() or session.read_text() == said


def test_what_gives_way_further_already_is_left_as_it_is(tmp_path: Path) -> None:
    session = tmp_path / "autogroup"
    session.write_text("/autogroup-71 nice 12\n")
    process_priority.have_session_give_way(session, 5)
    assert process_priority.session_niceness(session) == 12
