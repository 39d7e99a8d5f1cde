"""Waits until its owner is gone, then ends the processes that the owner named last.

A `kill -9` gives the owner no chance to stop its servers. On every change the owner writes the
whole list as one line to this process's standard input, which works on a full disk, too. The end of
the input means that the owner is gone. After an orderly stop the last line names nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from app.embedded.register import end_all, parsed

if __name__ == "__main__":
    last = b""
    for line in sys.stdin.buffer:
        if line.endswith(b"\n"):
            last = line
    if entries := parsed(last):
        end_all(entries)
        Path(sys.argv[1]).unlink(missing_ok=True)
