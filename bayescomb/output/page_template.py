"""Jinja templates of the pages: a word that is missing is an error, and names are escaped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2

__all__ = ["page_template"]


def page_template(path: Path, **filters: Callable[..., Any]) -> jinja2.Template:
    """The template of a page; it can include ``page_head.html``, which all pages share.

    Args:
        path: of its file.
        filters: functions that it may use, by name.

    Examples:
        >>> import tempfile
        >>> from bayescomb.output.page_template import page_template
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "page.html"
        ...     _ = path.write_text("{{ name | twice }}")
        ...     page_template(path, twice=lambda text: 2 * text).render(name="a<")
        'a&lt;a&lt;'
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment.get_template(path.name)
