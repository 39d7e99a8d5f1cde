"""What all commands share: how they are declared, and what their arguments may be."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn
from uuid import UUID

import msgspec
from msgspec import Struct

from app.errors import Invalid
from app.jobs.job import JobId
from app.resources import Resources

Arguments = argparse.Namespace
Answer = Sequence[Struct] | Struct | str
Operation = Callable[[Resources, Arguments], Awaitable[Answer]]

BY = "cli"
"""Who acts, in the log."""
MOST = 100_000
"""Rows that a list may be asked for."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"activelog: {message}\n")


def group(parser: argparse.ArgumentParser) -> Any:
    """The place of a command's subcommands."""
    return parser.add_subparsers(required=True, metavar="command")


def add(
    commands: Any,
    name: str,
    operation: Operation,
    purpose: str,
    columns: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """Declare a command. Its answer is printed as a table of these columns, or of all."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=purpose)
    command.add_argument("--json", action="store_true", help="for scripts, with all fields")
    command.set_defaults(operation=operation, columns=columns)
    return command


def checked(text: str, kind: object) -> str:
    """
    Raises:
        Invalid: the text is none of that kind, with the kind's own description.
    """
    try:
        return str(msgspec.convert(text, kind))
    except msgspec.ValidationError:
        description = msgspec.json.schema(kind)["description"]
        raise Invalid(f"This is not {description[0].lower()}{description[1:]}") from None


def job_id(text: str) -> JobId:
    try:
        return JobId(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no job's id") from None


def limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")
    return int(text)
