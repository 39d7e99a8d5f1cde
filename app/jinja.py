"""Jinja templates: undefined names are errors, HTML is escaped, changed files are reloaded.

With `keep`, a broken change does not reach users: until it is fixed, the templates that the process
started with are used instead.
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
    """A template is missing, does not parse or cannot be rendered."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"templates/{name}: {problem}")
        self.name = name


class Templates:
    """The templates in a folder. Each is parsed once, and again when its file changes."""

    def __init__(self, folder: Path = FOLDER, *, keep: bool = False) -> None:
        """
        Args:
            keep: read all files now, and use these versions while a later change is broken.

        Raises:
            BrokenTemplate: `keep` is set and a file cannot be read.
        """
        self._environment = _environment(jinja2.FileSystemLoader(folder))
        self._kept: jinja2.Environment | None = None
        if keep:
            sources = {name: self._source(name) for name in self.names()}
            self._kept = _environment(jinja2.DictLoader(sources))

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Render a template.

        Raises:
            BrokenTemplate: the template is missing or broken or uses a name that `context` lacks,
                or an expression fails.
        """
        try:
            return _render(self._environment, name, context)
        except BrokenTemplate as broken:
            if self._kept is None:
                raise
            log.critical("template.broken", template=broken.name, problem=str(broken))
            return _render(self._kept, name, context)

    def names(self) -> list[str]:
        """List the templates, without the hidden files that editors create."""
        names = self._environment.list_templates(extensions=["html", "txt"])
        return [name for name in names if "/." not in f"/{name}"]

    def variables(self, name: str) -> set[str]:
        """List the variables used by a template and by those it extends, includes or imports.

        Raises:
            BrokenTemplate: one of these templates is missing or does not parse.
        """
        source = self._source(name)
        try:
            self._environment.compile(source, name)
            tree = self._environment.parse(source, name)
        except jinja2.TemplateError as error:
            raise _broken(name, error) from error
        used = jinja2.meta.find_undeclared_variables(tree)
        for other in jinja2.meta.find_referenced_templates(tree):
            if other is not None:
                used |= self.variables(other)
        return used

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
    except Exception as error:  # expressions can raise anything
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> BrokenTemplate:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return BrokenTemplate(error.name or name, f"line {error.lineno}: {error.message}")
    if isinstance(error, jinja2.TemplateNotFound):
        return BrokenTemplate(str(error.name or name), "is missing")
    if isinstance(error, jinja2.TemplateError):
        return BrokenTemplate(name, str(error))
    return BrokenTemplate(name, f"{type(error).__name__}: {error}")
