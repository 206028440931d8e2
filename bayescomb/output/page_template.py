"""Templates of pages, and the link from a report to an explorer beside it, whichever of the two is written first.

In a template an undefined name is an error, and values are escaped, so that none can end an element.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jinja2

from bayescomb.base.files.writing import written_beside

__all__ = ["EXPLORER", "LINK", "PLACE", "link_from_report", "page_template"]

EXPLORER: Final = "explorer.html"
REPORT: Final = "report.html"
LINK: Final = f'<a href="{EXPLORER}">Assumption explorer</a>'
# Where a report without an explorer would have its link.
PLACE: Final = f"<!-- {EXPLORER} -->"


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


def link_from_report(page: Path) -> bool:
    """Put the link to an explorer into the report of its folder, if there is one.

    Args:
        page: the explorer.

    Returns:
        Whether a link was put in.

    Raises:
        OutputError: the report cannot be written.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bayescomb.output.page_template import PLACE, link_from_report
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "report.html").write_text(f"<nav>{PLACE}</nav>")
        ...     link_from_report(Path(folder) / "explorer.html"), link_from_report(Path(folder) / "explorer.html")
        (True, False)
    """
    report = page.parent / REPORT
    if page.name != EXPLORER or not report.is_file():
        return False
    text = report.read_text(encoding="utf-8")
    if PLACE not in text:
        return False
    with written_beside(report) as temporary:
        temporary.write_text(text.replace(PLACE, LINK, 1), encoding="utf-8")
    return True
