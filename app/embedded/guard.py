"""Waits until its owner is gone, then ends what the owner's register still names.

A `kill -9` gives the owner no chance to stop its servers; the end of this process's standard input
tells on every system that it happened. After an orderly stop the register is empty.
"""

from __future__ import annotations

import sys
from pathlib import Path

from app.embedded.register import end_leftovers

if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_leftovers(Path(sys.argv[1]))
