"""`python -m tests.attack [ATTACK...] [--short]`: exits with 1 if a limit does not hold."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

import structlog

from tests.attack import connections, guesses, images, schema
from tests.bench.environment import describe_machine, environment
from tests.bench.table import Row, show

VERSIONS = ("litestar", "uvicorn", "pillow", "argon2-cffi")
ATTACKS = {"images": images, "guesses": guesses, "connections": connections, "schema": schema}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack")
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=", ".join(ATTACKS))
    parser.add_argument("--short", action="store_true", help="fewer of everything")
    arguments = parser.parse_args()
    if unknown := set(arguments.attacks) - set(ATTACKS):
        parser.error(f"There is no attack {unknown.pop()!r}: choose from {', '.join(ATTACKS)}.")
    errors_only = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=errors_only)
    rows = asyncio.run(run(arguments.attacks or list(ATTACKS), short=arguments.short))
    return 1 if any(row.met is False for row in rows) else 0


async def run(names: Sequence[str], *, short: bool) -> list[Row]:
    print(describe_machine(VERSIONS))
    rows: list[Row] = []
    for name in names:
        attack = ATTACKS[name]
        async with environment(attack.NEEDS) as env:
            found = await attack.attack(env, short=short)
        show(name, found)
        rows += found
    return rows


if __name__ == "__main__":
    sys.exit(main())
