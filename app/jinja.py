"""Jinja templates: strict about what they name, escaped in HTML, reloaded when a file changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta

FOLDER = Path(__file__).parents[1] / "templates"


class BrokenTemplate(Exception):
    """A template is missing, does not parse, or names what it was not given."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"templates/{name}: {problem}")
        self.name = name


class Templates:
    """The templates of a folder, each parsed once until its file changes."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=jinja2.select_autoescape(disabled_extensions=["txt"], default=True),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Fill a template in.

        Raises:
            BrokenTemplate: it is missing or broken, names something that `context` lacks, or does
                to a value what cannot be done to it.
        """
        try:
            return self._environment.get_template(name).render(context)
        except Exception as error:  # an expression of a template can raise anything
            raise _broken(name, error) from error

    def names(self) -> list[str]:
        return self._environment.list_templates(extensions=["html", "txt"])

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
        try:
            source, _, _ = self._loader.get_source(self._environment, name)
            self._environment.compile(source, name)
            tree = self._environment.parse(source, name)
        except (jinja2.TemplateError, UnicodeDecodeError) as error:
            raise _broken(name, error) from error
        expected = jinja2.meta.find_undeclared_variables(tree)
        for other in jinja2.meta.find_referenced_templates(tree):
            if other is not None:
                expected |= self.variables(other)
        return expected

    @property
    def _loader(self) -> jinja2.BaseLoader:
        assert self._environment.loader is not None  # noqa: S101 # set in __init__
        return self._environment.loader


def _broken(name: str, error: Exception) -> BrokenTemplate:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return BrokenTemplate(error.name or name, f"line {error.lineno}: {error.message}")
    if isinstance(error, jinja2.TemplateNotFound):
        return BrokenTemplate(str(error.name or name), "is missing")
    if isinstance(error, jinja2.TemplateError):
        return BrokenTemplate(name, str(error))
    return BrokenTemplate(name, f"{type(error).__name__}: {error}")
