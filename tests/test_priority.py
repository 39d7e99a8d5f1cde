"""Giving way to other processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app import priority
from app.pdf.artists import PROJECT
from tests.kit.processes import session_niceness

ON_LINUX = pytest.mark.skipif(
    session_niceness(os.getpid()) is None, reason="only Linux shares processors out by sessions"
)
GIVES_WAY = """
import os, sys
from app import priority
from tests.kit.processes import session_niceness

for niceness in map(int, sys.argv[1:]):
    priority.give_way(niceness)
print(os.nice(0), session_niceness(os.getpid()))
"""


def given_way(*niceness: int, leads: bool = True, at_first: int = 0) -> list[int]:
    """How nice a process, and its session, are in the end."""
    seen = subprocess.run(
        ["nice", "-n", str(at_first), sys.executable, "-c", GIVES_WAY, *map(str, niceness)],
        cwd=PROJECT,
        start_new_session=leads,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in seen.stdout.split()]


@ON_LINUX
def test_a_session_gives_way_with_the_process_that_leads_it() -> None:
    assert given_way(17) == [17, 17]


@ON_LINUX
def test_a_process_that_leads_no_session_gives_way_within_it() -> None:
    assert given_way(17, leads=False) == [17, session_niceness(os.getpid())]


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
        seen = os.getpriority(os.PRIO_PROCESS, process.pid), session_niceness(process.pid)
        process.communicate(b"\n")
    assert seen == (17, 17)


def test_one_that_has_ended_has_nothing_to_give() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        process.wait()
    priority.have_give_way(process.pid, 17)
