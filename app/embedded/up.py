"""`just up`: run the servers, migrations, demo data, API and worker until stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from app.embedded.application import (
    ACTIVELOG,
    Child,
    Plan,
    child_ports,
    child_variables,
    without_owner,
    write_env_file,
)
from app.embedded.console import address_table, moved_port_lines, print_safely, printer_for, say
from app.embedded.daemon import DidNotStart, Workspace
from app.embedded.home import (
    ENV_FILE,
    LOCK_FILE,
    REGISTRY_FILE,
    describe_free_space,
    free_bytes,
    is_disk_full,
    lock,
    make_home,
)
from app.embedded.postgres import fallback_folder
from app.embedded.registry import ProcessRegistry, stop_leftovers
from app.embedded.servers import connection_settings, embedded_servers, start_all, stop_all
from app.embedded.supervisor import supervise
from app.event_loop import DUPLICATE_SIGNAL_S

STDIN, STDOUT, STDERR = 0, 1, 2
TERMINAL_POLL_S = 1.0
"""Interval between checks of the terminal."""


def up(
    home: Path,
    environ: Mapping[str, str],
    plan: Plan = ACTIVELOG,
    *,
    durable: bool = True,
    duplicate_signal_s: float = DUPLICATE_SIGNAL_S,
) -> int:
    """Run everything until SIGINT or SIGTERM arrives or the terminal closes. Return the exit code.

    If a program fails to start, stop everything and return that program's exit code. A second
    SIGINT kills everything immediately.

    Args:
        durable: False for tests (see `Workspace`).
        duplicate_signal_s: signals this close together count as one.

    Raises:
        AlreadyRunning: another `up` or `reset` is running in this folder.
    """
    try:
        return _up(make_home(home), environ, plan, durable, duplicate_signal_s)
    except OSError as error:
        if not is_disk_full(error):
            raise
        say(f"{error.strerror}: {describe_free_space(home)}")
        return 1


def _up(
    home: Path, environ: Mapping[str, str], plan: Plan, durable: bool, duplicate_signal_s: float
) -> int:
    with lock(home / LOCK_FILE):
        if stopped := stop_leftovers(home / REGISTRY_FILE):
            say(f"stopped processes left over from an earlier `up`: {', '.join(stopped)}")
        try:
            with ProcessRegistry(home / REGISTRY_FILE) as registry:
                workspace = Workspace(home, registry, durable)
                return asyncio.run(_until_stopped(workspace, environ, plan, duplicate_signal_s))
        finally:
            (home / ENV_FILE).unlink(missing_ok=True)


async def _until_stopped(
    workspace: Workspace, environ: Mapping[str, str], plan: Plan, duplicate_signal_s: float
) -> int:
    running = asyncio.create_task(_run(workspace, environ, plan))
    stopping: list[float] = []
    killed = False

    def stop() -> None:
        if not stopping:
            stopping.append(time.monotonic())
            say("stopping")
            running.cancel()

    def interrupt() -> None:
        nonlocal killed
        if stopping and time.monotonic() - stopping[0] > duplicate_signal_s:
            killed = True
            workspace.registry.kill_all()
        stop()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGHUP, stop if has_terminal() else _ignore)
    watching = asyncio.create_task(wait_until_terminal_closes())
    watching.add_done_callback(lambda watch: None if watch.cancelled() else stop())
    try:
        await running
    except asyncio.CancelledError:
        say("stopped")
        return 128 + signal.SIGINT if killed else 0
    except DidNotStart as error:
        fullest = min(_data_folders(workspace.home), key=free_bytes)
        say(f"{error}: {describe_free_space(fullest)}" if error.disk_is_full else str(error))
        return _shell_exit_code(error.code)
    finally:
        watching.cancel()
    return 0


def _ignore() -> None:
    """Ignore SIGHUP, as `nohup` requested: `just` has reset the handler."""


async def _run(workspace: Workspace, environ: Mapping[str, str], plan: Plan) -> None:
    started_at = time.monotonic()
    daemons = embedded_servers(workspace, environ)
    try:
        if daemons:
            say("starting " + ", ".join(daemon.name for daemon in daemons))
            await start_all(daemons)
        variables = child_variables(environ, connection_settings(daemons))
        if workspace.durable:
            ports = [daemon.listening_ports() for daemon in daemons]
            for line in moved_port_lines([*ports, child_ports(environ, variables)]):
                say(line)
        demo = plan.demo if "DATABASE_URL" in connection_settings(daemons) else None
        if demo is None:
            say(f"{plan.demo.name} skipped: the database is not embedded")
        bucket = plan.bucket if "S3_ENDPOINT_URL" in connection_settings(daemons) else None
        for step in plan.steps:
            await Child(step, workspace, variables, printer_for(step.name)).run()
        application = without_owner(variables)
        for step in filter(None, (demo, bucket)):
            await Child(step, workspace, application, printer_for(step.name)).run()
        children = [
            Child(child, workspace, application, printer_for(child.name)) for child in plan.children
        ]
        try:
            await start_all(children)
            write_env_file(workspace.home / ENV_FILE, variables)
            say(f"ready after {time.monotonic() - started_at:.1f} s")
            print_safely(f"\n{address_table(variables, demo=demo is not None)}\n")
            await supervise(
                [*daemons, *children], _data_folders(workspace.home), workspace.registry
            )
        finally:
            await stop_all(children)
    finally:
        await stop_all(daemons)


def _data_folders(home: Path) -> list[Path]:
    """Return the folders where the servers keep their files."""
    return [folder for folder in (home, fallback_folder(home)) if folder.exists()]


def _shell_exit_code(code: int | None) -> int:
    """Return a shell's exit code: for a signal, 128 plus its number. None and 0 become 1."""
    if code is None or code == 0:
        return 1
    return code if code > 0 else 128 - code


def has_terminal() -> bool:
    """Whether this process has a terminal. Under `nohup` it does not, and SIGHUP is ignored."""
    return any(os.isatty(descriptor) for descriptor in (STDIN, STDOUT, STDERR))


async def wait_until_terminal_closes() -> None:
    """Wait until the output's terminal closes; wait forever if the output is not a terminal.

    Poll isatty(), which is false for a closed terminal. The kernel sends SIGHUP only to the
    session leader, which may be `uv`, and `uv` ignores it (`ssh -t host 'uv run just up'`).
    """
    if not os.isatty(STDOUT):
        await asyncio.Event().wait()
    while os.isatty(STDOUT):  # noqa: ASYNC110 # there is no event for a closed terminal
        await asyncio.sleep(TERMINAL_POLL_S)
