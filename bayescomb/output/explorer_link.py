"""The link from a report to an explorer beside it, whichever of the two is written first."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bayescomb.base.files.writing import written_beside

__all__ = ["EXPLORER", "LINK", "PLACE", "link_from_report"]

EXPLORER: Final = "explorer.html"
REPORT: Final = "report.html"
LINK: Final = f'<a href="{EXPLORER}">Assumption explorer</a>'
# Where a report without an explorer would have its link.
PLACE: Final = f"<!-- {EXPLORER} -->"


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
        >>> from bayescomb.output.explorer_link import PLACE, link_from_report
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
