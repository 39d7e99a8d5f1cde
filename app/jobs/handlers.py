"""Handlers: the function that runs the jobs of a type, registered beside the type."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias, TypeVar

import app
from app.jobs.job import Job

Handler: TypeAlias = Callable[..., Awaitable[None]]
Handlers: TypeAlias = Mapping[type[Job], Handler]
H = TypeVar("H", bound=Handler)

HANDLERS: dict[type[Job], Handler] = {}
"""By job type; `handles` fills it when a module with handlers is imported."""

MODULES = ("jobs", "emails")
"""The modules of a package that may register handlers."""


def handles(job_type: type[Job]) -> Callable[[H], H]:
    """Register the one handler of a job type.

        @handles(EraseUser)
        async def erase_user(job: EraseUser, run: Run, bucket: Bucket) -> None:

    It is called with the job, its run, and what its further parameters name: fields of
    `app.resources.Resources`, or `resources` for the whole of it.

    Raises:
        TypeError: the job type has a handler already.
    """

    def register(handler: H) -> H:
        if job_type in HANDLERS:
            raise TypeError(f"{job_type.__name__} has two handlers")
        HANDLERS[job_type] = handler
        return handler

    return register


@cache
def needs(handler: Handler) -> tuple[str, ...]:
    """The names of the resources that a handler asks for."""
    return tuple(
        parameter.name
        for parameter in list(inspect.signature(handler).parameters.values())[2:]
        if parameter.default is parameter.empty
    )


def arguments(handler: Handler, resources: Any) -> list[Any]:
    """What a handler asks for, out of an `app.resources.Resources`."""
    return [
        resources if name == "resources" else getattr(resources, name) for name in needs(handler)
    ]


def load_handlers() -> None:
    """Import every module that registers job types, emails, schedules and handlers.

    These are the `MODULES` of the packages that own tables, which have a module `statements`.
    """
    for package in pkgutil.iter_modules(app.__path__, "app."):
        if package.ispkg and find_spec(f"{package.name}.statements"):
            for name in MODULES:
                if find_spec(f"{package.name}.{name}"):
                    import_module(f"{package.name}.{name}")
