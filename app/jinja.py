"""Jinja templates: strict about what they name, escaped in HTML, reloaded when a file changes.

A change that is broken need not reach people: what the process began with can be kept, and used in
its place until the change is mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import structlog

FOLDER = Path(__file__).parents[1] / "templates"


log = structlog.get_logger(__name__)


class BrokenTemplate(Exception):
    """A template is missing, does not parse, or names what it was not given."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"templates/{name}: {problem}")
        self.name = name


class Templates:
    """The templates of a folder, each parsed once until its file changes."""

    def __init__(self, folder: Path = FOLDER, *, keep: bool = False) -> None:
        """
        Args:
            keep: use what the files hold now in the place of a later change that is broken.

        Raises:
            BrokenTemplate: a file cannot be read, so as to be kept.
        """
        self._environment = _environment(jinja2.FileSystemLoader(folder))
        self._kept: jinja2.Environment | None = None
        if keep:
            sources = {name: self._source(name) for name in self.names()}
            self._kept = _environment(jinja2.DictLoader(sources))

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Fill a template in.

        Raises:
            BrokenTemplate: it is missing or broken, names something that `context` lacks, or does
                to a value what cannot be done to it.
        """
        try:
            return _render(self._environment, name, context)
        except BrokenTemplate as broken:
            if self._kept is None:
                raise
            log.critical("template.broken", template=broken.name, problem=str(broken))
            return _render(self._kept, name, context)

    def names(self) -> list[str]:
        """But for what editors leave beside them."""
        names = self._environment.list_templates(extensions=["html", "txt"])
        return [name for name in names if "/." not in f"/{name}"]

    def check(self) -> None:
        """Parse every template, so that a broken one stops the start and not a job at night.

        Raises:
            BrokenTemplate: names the first that does not parse or extends one that is missing.
        """
        for name in self.names():
            self.variables(name)

    def variables(self, name: str) -> set[str]:
        """What a template, and those it is built on, expects to be given.

        Raises:
            BrokenTemplate: one of them is missing or does not parse.
        """
        source = self._source(name)
        try:
            self._environment.compile(source, name)
            tree = self._environment.parse(source, name)
        except jinja2.TemplateError as error:
            raise _broken(name, error) from error
        expected = jinja2.meta.find_undeclared_variables(tree)
        for other in jinja2.meta.find_referenced_templates(tree):
            if other is not None:
                expected |= self.variables(other)
        return expected

    def _source(self, name: str) -> str:
        assert self._environment.loader is not None  # noqa: S101 # set in __init__
        try:
            return self._environment.loader.get_source(self._environment, name)[0]
        except (OSError, UnicodeDecodeError) as error:
            raise _broken(name, error) from error


def _environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    return jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(disabled_extensions=["txt"], default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(environment: jinja2.Environment, name: str, context: Mapping[str, Any]) -> str:
    try:
        return environment.get_template(name).render(context)
    except Exception as error:  # an expression of a template can raise anything
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> BrokenTemplate:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return BrokenTemplate(error.name or name, f"line {error.lineno}: {error.message}")
    if isinstance(error, jinja2.TemplateNotFound):
        return BrokenTemplate(str(error.name or name), "is missing")
    if isinstance(error, jinja2.TemplateError):
        return BrokenTemplate(name, str(error))
    return BrokenTemplate(name, f"{type(error).__name__}: {error}")
