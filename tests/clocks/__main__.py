"""`python -m tests.clocks [--clock NAME] [PYTEST ARGUMENTS]`: run the tests under each clock.

The tests run in a mount namespace where every dynamically linked program preloads a library that
shifts the wall clock, so Postgres, Valkey, browsers, workers and command lines agree on the time.
SeaweedFS is linked statically and sees the true time, so requests to it are signed with that time.
Requires root, `unshare`, a C compiler and tzdata. docs/decisions/0013 explains this design.
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

from tests.clocks.clock import SHIFT, ZONE, Clock, clocks

LIBRARY = Path(__file__).with_name("shifted_clock.c")
ZONES = Path("/usr/share/zoneinfo")
WALL_TIME = "datetime.datetime.now(datetime.timezone.utc)"
TRUE_TIME = (
    "datetime.datetime.fromtimestamp("
    "__import__('time').clock_gettime(__import__('time').CLOCK_TAI), datetime.timezone.utc)"
)
MOUNT_AND_EXEC = 'mount --bind "$1" /etc && mount --bind "$2" "$3" && shift 3 && exec "$@"'
"""The shell script that runs in the namespace and ends by executing pytest."""


class ClockNotSupported(Exception):
    """This machine's clock cannot be shifted. The message says what is missing."""


def run(clock: Clock, arguments: Sequence[str]) -> int:
    """Run pytest under the clock and return its exit code."""
    starts = f"{clock.starts_at:%a %Y-%m-%d %H:%M:%S} UTC"
    print(f"== clock {clock.name}: {starts}, {clock.zone}", flush=True)
    shift = round((clock.starts_at - datetime.now(UTC)).total_seconds())
    environ = {**os.environ, SHIFT: str(shift), ZONE: clock.zone}
    environ.pop("TZ", None)
    with _shifted_etc(shift, clock.zone) as etc:
        mounts = [etc, _sign_with_true_time(etc), compat.__file__]
        namespace = ["unshare", "--mount", "sh", "-c", MOUNT_AND_EXEC, "sh", *mounts]
        pytest = [sys.executable, "-m", "pytest", "-q", *arguments]
        return subprocess.run([*namespace, *pytest], env=environ).returncode


@contextmanager
def _shifted_etc(shift: int, zone: str) -> Iterator[Path]:
    """Yield a copy of /etc that preloads the library and sets the clock's zone."""
    with tempfile.TemporaryDirectory(prefix="activelog-clock-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user
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


def _sign_with_true_time(etc: Path) -> Path:
    """Copy botocore's module for signature times, and change the copy to use the true time."""
    text = Path(compat.__file__).read_text()
    if text.count(WALL_TIME) != 1:
        raise ClockNotSupported(f"{compat.__file__} no longer reads the time with {WALL_TIME}")
    changed = etc / "botocore_compat.py"
    changed.write_text(text.replace(WALL_TIME, TRUE_TIME))
    return changed


def _require_support() -> None:
    """Check that the clock can be shifted on this machine.

    Raises:
        ClockNotSupported: something is missing. The message says what, and how to install it.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ClockNotSupported("only root on Linux can shift the clock")
    for program in ("unshare", "cc"):
        if shutil.which(program) is None:
            raise ClockNotSupported(f"{program} is missing: apt install util-linux gcc libc6-dev")
    if not (ZONES / "Pacific" / "Kiritimati").exists():
        raise ClockNotSupported(f"{ZONES} has no time zones: apt install tzdata")
    trial = ["unshare", "--mount", "mount", "--bind", "/etc", "/etc"]
    if subprocess.run(trial, capture_output=True).returncode:
        raise ClockNotSupported(
            "not permitted to mount: a container needs the capability SYS_ADMIN"
        )


def _clock(name: str) -> Clock:
    """Return the clock with this name, computed anew: earlier runs may have taken a while."""
    return {clock.name: clock for clock in clocks(datetime.now(UTC))}[name]


def main() -> int:
    """Run the tests under the named clocks, or under all clocks. Return 0 if all runs passed."""
    known = [clock.name for clock in clocks(datetime.now(UTC))]
    parser = argparse.ArgumentParser(prog="just test-clocks", allow_abbrev=False)
    parser.add_argument("--clock", choices=known, action="append", help="use only this clock")
    options, arguments = parser.parse_known_args()
    try:
        _require_support()
        codes = {name: run(_clock(name), arguments) for name in options.clock or known}
    except ClockNotSupported as reason:
        print(f"activelog: {reason}", file=sys.stderr)
        return 2
    failed = [name for name, code in codes.items() if code]
    print(f"failed under: {', '.join(failed)}" if failed else f"passed under: {', '.join(codes)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
