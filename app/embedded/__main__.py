"""python -m app.embedded up | down | env | reset"""

from __future__ import annotations

import argparse
import signal
import sys

from app.embedded.commands import complain, down, env, reset, start
from app.embedded.register import ROOT
from app.embedded.wheels import Unsupported, refuse_unsupported

HOME = ROOT / ".activelog"
COMMANDS = {"up": start, "down": down, "env": env, "reset": reset}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.embedded")
    parser.add_argument("command", choices=sorted(COMMANDS))
    command = COMMANDS[parser.parse_args().command]
    try:
        refuse_unsupported()
        return command(HOME)
    except Unsupported as error:
        return complain(str(error), code=2)
    except PermissionError as error:
        return complain(f"{error.filename} belongs to another user")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
