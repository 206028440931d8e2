"""Figures as files: PDF and PNG of each, all complete before the first takes its place."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from bayescomb.outputs import cannot_write
from bayescomb.storage import written_beside

__all__ = ["figure_bytes", "save_figures"]

PNG_DPI: Final = 150


def figure_bytes(figure: Figure, ending: str, *, dpi: int = PNG_DPI) -> bytes:
    """The file of a figure; in memory, because drawing into a disk that becomes full ends in an error of its own.

    Args:
        figure: what is drawn.
        ending: ``pdf`` or ``png``.
        dpi: dots per inch of a PNG.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> from bayescomb.figure_files import figure_bytes
        >>> figure_bytes(Figure(), "pdf")[:4]
        b'%PDF'
    """
    content = io.BytesIO()
    figure.savefig(content, format=ending, dpi=dpi, metadata={"CreationDate": None} if ending == "pdf" else {})
    return content.getvalue()


def save_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures into a folder, which is made if it is not there; figures of the same names are replaced.

    Args:
        figures: name of the files without ending -> figure.
        folder: where they go.

    Returns:
        The paths.

    Raises:
        OutputError: the folder or a file cannot be written; the figures that were there are whole.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from matplotlib.figure import Figure
        >>> from bayescomb.figure_files import save_figures
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in save_figures({"empty": Figure()}, Path(folder))]
        ['empty.pdf', 'empty.png']
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error, what="the figures cannot be written") from error
    with contextlib.ExitStack() as stack:
        for name, figure in figures.items():
            for ending in ("pdf", "png"):
                path = folder / f"{name}.{ending}"
                stack.enter_context(written_beside(path)).write_bytes(figure_bytes(figure, ending))
                paths.append(path)
    return paths
