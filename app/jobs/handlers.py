"""Handlers: the functions that run the jobs of each type, registered next to the type."""

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
"""All handlers by job type. `handles` adds them when their modules are imported."""

HANDLER_MODULES = ("jobs", "emails")
"""The modules in a package that may register handlers."""


def handles(job_type: type[Job]) -> Callable[[H], H]:
    """Register the handler for a job type.

        @handles(EraseUser)
        async def erase_user(job: EraseUser, run: Run, bucket: Bucket) -> None:

    The handler is called with the job, its run, and the resources that its other parameters name:
    fields of `app.resources.Resources`, or `resources` for all of them.

    Raises:
        TypeError: the job type already has a handler.
    """

    def register(handler: H) -> H:
        if job_type in HANDLERS:
            raise TypeError(f"{job_type.__name__} has two handlers")
        HANDLERS[job_type] = handler
        return handler

    return register


@cache
def required_resources(handler: Handler) -> tuple[str, ...]:
    """Return the names of the resources that a handler needs."""
    return tuple(
        parameter.name
        for parameter in list(inspect.signature(handler).parameters.values())[2:]
        if parameter.default is parameter.empty
    )


def resource_arguments(handler: Handler, resources: Any) -> list[Any]:
    """Return the arguments for a handler, taken from an `app.resources.Resources`."""
    return [
        resources if name == "resources" else getattr(resources, name)
        for name in required_resources(handler)
    ]


def load_handlers() -> None:
    """Import every module that registers job types, emails, schedules or handlers.

    These are the `HANDLER_MODULES` in packages that have a `statements` module.
    """
    for package in pkgutil.iter_modules(app.__path__, "app."):
        if package.ispkg and find_spec(f"{package.name}.statements"):
            for name in HANDLER_MODULES:
                if find_spec(f"{package.name}.{name}"):
                    import_module(f"{package.name}.{name}")
