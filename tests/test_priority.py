"""Giving way to other processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app.pdf.artists import PROJECT
from tests.kit.processes import session_niceness

GIVES_WAY = """
import os
from app import priority
from tests.kit.processes import session_niceness

priority.give_way(7)
print(os.nice(0), session_niceness(os.getpid()))
"""


@pytest.mark.skipif(
    session_niceness(os.getpid()) is None, reason="only Linux shares processors out by sessions"
)
@pytest.mark.parametrize("leads", [True, False])
def test_a_session_gives_way_with_the_process_that_leads_it(leads: bool) -> None:
    seen = subprocess.run(
        [sys.executable, "-c", GIVES_WAY],
        cwd=PROJECT,
        start_new_session=leads,
        capture_output=True,
        text=True,
        check=True,
    )
    nice, of_session = map(int, seen.stdout.split())
    assert os.nice(0) + 7 == nice
    assert of_session == (nice if leads else session_niceness(os.getpid()))
