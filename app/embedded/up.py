"""`just up`: the servers, the migrations, the demo data, the API and the worker, until stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.embedded.child import Child, ChildSpec
from app.embedded.console import print_safely, say, shown_as
from app.embedded.daemon import DidNotStart, Place
from app.embedded.disk import free_bytes, is_full, room_in
from app.embedded.lock import lock
from app.embedded.postgres import place_aside
from app.embedded.register import ROOT, Register, end_leftovers
from app.embedded.servers import embedded, make_home, settings_of, start_all, stop_all
from app.embedded.supervision import keep_running
from app.embedded.table import lines_of_moved_ports, table
from app.embedded.terminal import has_terminal, until_closed
from app.embedded.variables import keep_variables, ports_of_children, variables_of_children

LOCK, PROCESSES, VARIABLES = "lock", "processes.json", "env"
"""Files of the home folder."""
SAME_SIGNAL = 0.5
"""Seconds within which signals are one: a group is sent one that `just` passes on as well."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What runs on top of the servers."""

    steps: tuple[ChildSpec, ...]
    """Run to their ends, one after the other, before the children start."""
    demo: ChildSpec | None
    """A further step, which is left out when the database is not ours."""
    children: tuple[ChildSpec, ...]
    bucket: ChildSpec | None = None
    """Another, which is left out without a word when the bucket is not ours."""


MIGRATE = ChildSpec("migrate", ("-m", "app", "migrate"))
DEMO = ChildSpec("demo", ("-m", "app.embedded.demo"))
API = ChildSpec("api", ("-m", "app.asgi"), "http://127.0.0.1:{PORT}/health/ready")
WORKER = ChildSpec(
    "worker", ("-m", "arq", "worker.WorkerSettings"), "http://127.0.0.1:{METRICS_PORT}/metrics"
)
HAS_DEMO = (ROOT / "app" / "embedded" / "demo.py").exists()
BUCKET = ChildSpec("bucket", ("-m", "app", "bucket", "prepare"))
ACTIVELOG = Plan(
    steps=(MIGRATE,), demo=DEMO if HAS_DEMO else None, children=(API, WORKER), bucket=BUCKET
)


def up(
    home: Path,
    environ: Mapping[str, str],
    plan: Plan = ACTIVELOG,
    *,
    durable: bool = True,
    same_signal: float = SAME_SIGNAL,
) -> int:
    """Run everything until SIGINT, SIGTERM or the end of its terminal; the exit code.

    A child that fails at its start ends all, and its code is the code. A second SIGINT kills
    everything at once.

    Args:
        same_signal: seconds within which signals count as one.

    Raises:
        AlreadyRunning: another `up` runs in this folder.
    """
    try:
        return _up(make_home(home), environ, plan, durable, same_signal)
    except OSError as error:
        if not is_full(error):
            raise
        say(f"{error.strerror}: {room_in(home)}")
        return 1


def _up(
    home: Path, environ: Mapping[str, str], plan: Plan, durable: bool, same_signal: float
) -> int:
    with lock(home / LOCK):
        if ended := end_leftovers(home / PROCESSES):
            say(f"ended what an earlier `up` left: {', '.join(ended)}")
        try:
            with Register(home / PROCESSES) as register:
                place = Place(home, register, durable)
                return asyncio.run(_until_stopped(place, environ, plan, same_signal))
        finally:
            (home / VARIABLES).unlink(missing_ok=True)


async def _until_stopped(
    place: Place, environ: Mapping[str, str], plan: Plan, same_signal: float
) -> int:
    running = asyncio.create_task(_run(place, environ, plan))
    stopping: list[float] = []
    killed = False

    def stop() -> None:
        if not stopping:
            stopping.append(time.monotonic())
            say("stopping")
            running.cancel()

    def interrupt() -> None:
        nonlocal killed
        if stopping and time.monotonic() - stopping[0] > same_signal:
            killed = True
            place.register.kill_all()
        stop()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGHUP, stop if has_terminal() else _go_on)
    watching = asyncio.create_task(until_closed())
    watching.add_done_callback(lambda watch: None if watch.cancelled() else stop())
    try:
        await running
    except asyncio.CancelledError:
        say("stopped")
        return 128 + signal.SIGINT if killed else 0
    except DidNotStart as error:
        fullest = min(_folders(place.home), key=free_bytes)
        say(f"{error}: {room_in(fullest)}" if error.disk_is_full else str(error))
        return _exit_code(error.code)
    finally:
        watching.cancel()
    return 0


def _go_on() -> None:
    """Ignore SIGHUP: `nohup` asks for that, but `just` resets the handler."""


async def _run(place: Place, environ: Mapping[str, str], plan: Plan) -> None:
    since = time.monotonic()
    family = embedded(place, environ)
    try:
        if family:
            say("starting " + ", ".join(one.name for one in family))
            await start_all(family)
        variables = variables_of_children(environ, settings_of(family))
        if place.durable:
            ports = [one.usual_ports() for one in family] + [ports_of_children(environ, variables)]
            for line in lines_of_moved_ports(ports):
                say(line)
        demo = plan.demo if "DATABASE_URL" in settings_of(family) else None
        if demo is None and plan.demo is not None:
            say(f"{plan.demo.name} left out: this database is not an embedded one")
        bucket = plan.bucket if "S3_ENDPOINT_URL" in settings_of(family) else None
        for step in (*plan.steps, *(one for one in (demo, bucket) if one)):
            await Child(step, place, variables, shown_as(step.name)).run()
        children = [Child(one, place, variables, shown_as(one.name)) for one in plan.children]
        try:
            await start_all(children)
            keep_variables(place.home / VARIABLES, variables)
            say(f"ready after {time.monotonic() - since:.1f} s")
            print_safely(f"\n{table(variables, demo=demo is not None)}\n")
            await keep_running([*family, *children], _folders(place.home), place.register)
        finally:
            await stop_all(children)
    finally:
        await stop_all(family)


def _folders(home: Path) -> list[Path]:
    """Where the servers keep their files."""
    return [folder for folder in (home, place_aside(home)) if folder.exists()]


def _exit_code(code: int | None) -> int:
    """As a shell tells it: a signal is 128 and its number, silence is 1."""
    if code is None or code == 0:
        return 1
    return code if code > 0 else 128 - code
