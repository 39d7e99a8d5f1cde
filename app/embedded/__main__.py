"""`python -m app.embedded up|down|env|reset|connect`: what `just up` and its companions run."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from app.embedded import commands
from app.embedded.connecting import Program, connect
from app.embedded.register import ROOT
from app.embedded.wheels import Unsupported, refuse_unsupported
from app.settings.environment import SettingsError

HOME = ROOT / ".activelog"

app = App(
    name="python -m app.embedded", help="Run ActiveLog with servers of its own.", version_flags=[]
)
Home = Annotated[Path, Parameter(parse=False)]


@app.command
def up(*, home: Home) -> int:
    """Start the servers, the API and the worker; stop with Ctrl-C."""
    return commands.start(home)


@app.command
def down(*, home: Home) -> int:
    """Stop a running `up`."""
    return commands.down(home)


@app.command
def env(*, home: Home) -> int:
    """Print the settings of the running system as lines that a shell can read."""
    return commands.env(home)


@app.command
def reset(*, home: Home) -> int:
    """Stop it and remove all of its data."""
    return commands.reset(home)


@app.command(name="connect")
def connect_(
    program: Program,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    home: Home,
) -> int:
    """Run a program against the running system, or the servers that .env names.

    Args:
        program: What to run.
        arguments: What to give it.
    """
    return connect(home, program, arguments)


def main() -> int:
    """Run one command; the exit code is 2 for wrong input and 1 for a failure."""
    try:
        command, bound, unparsed = app.parse_args(
            sys.argv[1:], exit_on_error=False, print_error=False
        )
        if not unparsed:  # the list of commands, or the help of one
            command(*bound.args, **bound.kwargs)
            return 0 if {"--help", "-h"} & set(sys.argv) else 2
        refuse_unsupported()
        return int(command(*bound.args, **bound.kwargs, home=HOME))
    except (CycloptsError, SettingsError, Unsupported) as error:
        return commands.complain(str(error), code=2)
    except PermissionError as error:
        return commands.complain(commands.not_permitted(error, HOME))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
