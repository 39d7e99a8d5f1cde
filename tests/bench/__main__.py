"""`python -m tests.bench [jobs ...] [--rounds 3] [--quick]`: run benchmarks and print tables.

Without names, all benchmarks run. Unless --quick or --only is given, the results are then written
to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType

from app.embedded.home import ROOT
from tests.bench import api, email, exports, fanout, growth, jobs, pages, pdf, workers_scaling
from tests.bench.environment import (
    PACKAGES_OF_SERVERS,
    SERVERS,
    describe_disk,
    describe_machine,
    environment,
)
from tests.bench.report import FILE, Part, write_page
from tests.bench.table import show

BENCHES: Mapping[str, ModuleType] = {
    "jobs": jobs,
    "growth": growth,
    "fanout": fanout,
    "email": email,
    "exports": exports,
    "pdf": pdf,
    "pages": pages,
    "api": api,
    "workers": workers_scaling,
}
"""Each module has NEEDS (variables of servers), VERSIONS (packages), NOTES, and bench()."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHES, []], metavar="bench", help=", ".join(BENCHES)
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="number of rounds; the results are medians"
    )
    parser.add_argument("--quick", action="store_true", help="one short round, as a smoke test")
    parser.add_argument(
        "--only", default="", help="run only the parts whose names contain this text"
    )
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    names = arguments.names or list(BENCHES)
    parts = [
        asyncio.run(_run(name, rounds, quick=arguments.quick, only=arguments.only))
        for name in names
    ]
    if not (arguments.names or arguments.quick or arguments.only):
        packages = {package for name in names for package in BENCHES[name].VERSIONS}
        write_page(
            parts,
            describe_machine([*PACKAGES_OF_SERVERS, *sorted(packages)]),
            rounds,
            datetime.now(UTC).date(),
        )
        print(f"\nwritten to {FILE.relative_to(ROOT)}")


async def _run(name: str, rounds: int, *, quick: bool, only: str) -> Part:
    bench = BENCHES[name]
    print(f"{name}: {describe_machine(bench.VERSIONS)}")
    print(f"{SERVERS}.")
    print(f"Medians of {rounds} rounds; the contenders take turns. {bench.NOTES}", flush=True)
    async with environment(bench.NEEDS) as servers:
        print(f"Disk: {(disk_speed := describe_disk(servers.folder))}.", flush=True)
        rows = await bench.bench(servers, rounds=rounds, quick=quick, only=only)
    show(f"just bench {name}", rows)
    print(flush=True)
    return Part(name, bench.NOTES, disk_speed, rows)


if __name__ == "__main__":
    main()
