"""`python -m tests.clocks [--clock NAME] [pytest's arguments]`: run the tests under each clock.

In a mount namespace of its own every dynamically linked program preloads a library that moves the
wall clock, so Postgres, Valkey, browsers, workers and command lines agree on the time. SeaweedFS is
static and stays in the present, so requests to it are signed with the true time. Needs root,
`unshare`, a C compiler and tzdata's zones. docs/decisions/0013 says why.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from botocore import compat

from tests.clocks.clock import Clock, clocks

SHIFT, ZONE = "CLOCK_SHIFT_S", "CLOCK_ZONE"
"""Variables that tell the tests how many seconds the clock is ahead, and the machine's zone."""

LIBRARY = Path(__file__).with_name("shifted_clock.c")
ZONES = Path("/usr/share/zoneinfo")
WALL_TIME = "datetime.datetime.now(datetime.timezone.utc)"
TRUE_TIME = (
    "datetime.datetime.fromtimestamp("
    "__import__('time').clock_gettime(__import__('time').CLOCK_TAI), datetime.timezone.utc)"
)
INSIDE = 'mount --bind "$1" /etc && mount --bind "$2" "$3" && shift 3 && exec "$@"'
"""What the shell in the namespace does before it becomes pytest."""


class NotHere(Exception):
    """The clock of a system cannot be shifted on this machine."""


def run(clock: Clock, arguments: Sequence[str]) -> int:
    """pytest's exit code under this clock."""
    starts = f"{clock.starts_at:%a %Y-%m-%d %H:%M:%S} UTC"
    print(f"== clock {clock.name}: {starts}, {clock.zone}", flush=True)
    shift = round((clock.starts_at - datetime.now(UTC)).total_seconds())
    environ = {**os.environ, SHIFT: str(shift), ZONE: clock.zone}
    environ.pop("TZ", None)
    with _shifted_etc(shift, clock.zone) as etc:
        mounts = [etc, _signing_by_true_time(etc), compat.__file__]
        namespace = ["unshare", "--mount", "sh", "-c", INSIDE, "sh", *mounts]
        pytest = [sys.executable, "-m", "pytest", "-q", *arguments]
        return subprocess.run([*namespace, *pytest], env=environ).returncode


@contextmanager
def _shifted_etc(shift: int, zone: str) -> Iterator[Path]:
    """A copy of /etc that has the library preloaded and the clock's zone."""
    with tempfile.TemporaryDirectory(prefix="activelog-clock-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as a user of its own
        etc = Path(folder, "etc")
        subprocess.run(["cp", "--archive", "/etc", etc], check=True)
        library = etc / "shifted_clock.so"
        build: list[str | Path] = ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", library]
        subprocess.run([*build, f"-DSHIFT_S={shift}", LIBRARY], check=True)
        (etc / "ld.so.preload").write_text(f"/etc/{library.name}\n")
        (etc / "localtime").unlink(missing_ok=True)
        (etc / "localtime").symlink_to(ZONES / zone)
        (etc / "timezone").write_text(f"{zone}\n")
        yield etc


def _signing_by_true_time(etc: Path) -> Path:
    """botocore's module that tells the time of signatures, changed to ask the true clock."""
    text = Path(compat.__file__).read_text()
    if text.count(WALL_TIME) != 1:
        raise NotHere(f"{compat.__file__} reads the time in another way than {WALL_TIME}")
    changed = etc / "botocore_compat.py"
    changed.write_text(text.replace(WALL_TIME, TRUE_TIME))
    return changed


def _refuse_elsewhere() -> None:
    """
    Raises:
        NotHere: what is missing, and what helps.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NotHere("the clock of a system can be shifted by root on Linux only")
    for program in ("unshare", "cc"):
        if shutil.which(program) is None:
            raise NotHere(f"{program} is missing: apt install util-linux gcc libc6-dev")
    if not (ZONES / "Pacific" / "Kiritimati").exists():
        raise NotHere(f"{ZONES} has no time zones: apt install tzdata")
    trial = ["unshare", "--mount", "mount", "--bind", "/etc", "/etc"]
    if subprocess.run(trial, capture_output=True).returncode:
        raise NotHere("this root may not mount: a container needs the capability SYS_ADMIN")


def _clock(name: str) -> Clock:
    """The next moment of this name, as of now: earlier runs take their time."""
    return {clock.name: clock for clock in clocks(datetime.now(UTC))}[name]


def main() -> int:
    """Run the tests under all clocks, or those that are named; 0 if they passed under each."""
    known = [clock.name for clock in clocks(datetime.now(UTC))]
    parser = argparse.ArgumentParser(prog="just test-clocks", allow_abbrev=False)
    parser.add_argument("--clock", choices=known, action="append", help="only this one")
    options, arguments = parser.parse_known_args()
    try:
        _refuse_elsewhere()
        codes = {name: run(_clock(name), arguments) for name in options.clock or known}
    except NotHere as reason:
        print(f"activelog: {reason}", file=sys.stderr)
        return 2
    failed = [name for name, code in codes.items() if code]
    print("passed under every clock" if not failed else f"failed under: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
