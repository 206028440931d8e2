"""Pages are templates that a missing word is an error of, and no name inside can end an element with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2

__all__ = ["page_template"]


def page_template(path: Path, **filters: Callable[..., Any]) -> jinja2.Template:
    """The template of a page.

    Args:
        path: of its file.
        filters: functions that it may use, by name.

    Examples:
        >>> from bayescomb.output import report
        >>> from bayescomb.output.page_template import page_template
        >>> page_template(Path(report.__path__[0]) / "report.html").name
        'report.html'
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment.get_template(path.name)
