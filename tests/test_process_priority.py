"""The priority of a process and of the session that it leads is lowered, and never raised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import process_priority
from app.pdf.renderer import PROJECT

OWN_SESSION = process_priority.session_file("self")
NICENESS = max(17, os.nice(0))
"""The niceness of a test process that requests 17: it inherits pytest's, which may be higher."""
ATTEMPTS = 3
"""How many times to try to change a session's priority. From users other than root, Linux accepts
one change per 100 ms in the whole system, and other processes may get in first."""


def priority_file_of_a_new_session() -> str:
    """Return the content of a new session's priority file; empty if there is no such file."""
    command = ["cat", str(OWN_SESSION)]
    return subprocess.run(command, start_new_session=True, capture_output=True, text=True).stdout


ON_LINUX = pytest.mark.skipif(
    "nice" not in priority_file_of_a_new_session(),
    reason="only Linux divides CPU time among sessions",
)
SCRIPT = """
import json, os, sys
from app import process_priority

for niceness in map(int, sys.argv[1:]):
    process_priority.lower_own_priority(niceness)
session = process_priority.session_file("self")
print(json.dumps([os.nice(0), process_priority.session_niceness(session)]))
"""


def lowered(*niceness: int, leads_session: bool = True, initial: int = 0) -> list[int | None]:
    """Return the final niceness of a process and of its session."""
    result: list[int | None] = []
    for _ in range(ATTEMPTS):
        done = subprocess.run(
            ["nice", "-n", str(initial), sys.executable, "-c", SCRIPT, *map(str, niceness)],
            cwd=PROJECT,
            start_new_session=leads_session,
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(done.stdout)
        if result[1] != 0:
            break
    return result


@ON_LINUX
def test_session_leader_lowers_the_priority_of_its_session_too() -> None:
    assert lowered(17) == [NICENESS, 17]


@ON_LINUX
def test_process_that_does_not_lead_its_session_leaves_the_session_unchanged() -> None:
    before = process_priority.session_niceness(OWN_SESSION)
    assert lowered(17, leads_session=False) == [NICENESS, before]


@ON_LINUX
def test_priority_is_never_raised_again() -> None:
    assert lowered(17, 3) == [NICENESS, 17]


@ON_LINUX
def test_session_priority_is_lowered_even_if_its_leader_already_has_a_lower_one() -> None:
    assert lowered(16, initial=17) == [min(19, os.nice(0) + 17), 16]


@ON_LINUX
def test_priority_of_a_child_and_its_session_is_lowered() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        session = process_priority.session_file(process.pid)
        for _ in range(ATTEMPTS):
            process_priority.lower_priority_of(process.pid, 17)
            if process_priority.session_niceness(session) != 0:
                break
        niceness = (
            os.getpriority(os.PRIO_PROCESS, process.pid),
            process_priority.session_niceness(session),
        )
        process.communicate(b"\n")
    assert niceness == (NICENESS, 17)


def test_ended_process_is_ignored() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as process:
        process.wait()
    process_priority.lower_priority_of(process.pid, 17)


@pytest.mark.parametrize("content", ["", "an unknown format", None])
def test_session_with_unknown_niceness_is_left_unchanged(
    content: str | None, tmp_path: Path
) -> None:
    session = tmp_path / "autogroup"
    if content is not None:
        session.write_text(content)
    assert process_priority.session_niceness(session) is None
    process_priority.lower_session_priority(session, 17)
    assert session.exists() == (content is not None)
    assert not session.exists() or session.read_text() == content


def test_session_with_a_lower_priority_is_left_unchanged(tmp_path: Path) -> None:
    session = tmp_path / "autogroup"
    session.write_text("/autogroup-71 nice 12\n")
    process_priority.lower_session_priority(session, 5)
    assert process_priority.session_niceness(session) == 12
