"""Colours, labels, style and files of the figures; nothing here changes matplotlib's global state."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import NullLocator

from bayescomb.base.errors import warn_input
from bayescomb.base.files.writing import cannot_write, written_beside
from bayescomb.output.words import split_symbol

__all__ = [
    "COLOURS",
    "LINES",
    "axes_or_new",
    "figure_bytes",
    "figure_style",
    "math_name",
    "pages_bytes",
    "plain",
    "save_figures",
    "set_rows",
    "symbol",
    "title_text",
]

# Okabe and Ito's palette, distinct for every common colour vision; each meaning keeps its colour in all figures.
COLOURS: Final = {
    "black": "#000000",
    "posterior": "#0072B2",
    "profile": "#D55E00",
    "prior": "#BBBBBB",
    "feasible": "#009E73",
    "nominal": "#000000",
    "group": "#E69F00",
    "statistical": "#56B4E9",
    "extra": "#CC79A7",
}
CYCLE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# One line style per cycle through the colours, so that many curves can be told apart.
LINES: Final = ("-", "--", ":")
STYLE: Final = {
    # A common power of ten would overlap the label of the axis.
    "axes.formatter.limits": (-5, 6),
    "font.size": 10.0,
    "axes.labelsize": 11.0,
    "axes.titlesize": 11.0,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "axes.autolimit_mode": "data",
    "axes.xmargin": 0.05,
    "axes.ymargin": 0.05,
    "axes.labelpad": 4.0,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.formatter.use_mathtext": False,  # mathematics in every tick label takes half of the drawing time
    "axes.formatter.useoffset": False,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.minor.visible": False,  # they take a quarter of the drawing time
    "ytick.minor.visible": False,
    "xtick.major.size": 5.0,
    "ytick.major.size": 5.0,
    "legend.fontsize": 9.5,
    "legend.borderpad": 0.4,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "bayescomb",  # the same figure is the same file
}
PNG_DPI: Final = 150
# Characters of a name in a figure.
LONGEST_LABEL: Final = 60
MISSING_GLYPH: Final = re.compile(r"Glyph (\d+) .*missing from")


@contextlib.contextmanager
def figure_style() -> Iterator[None]:
    """The style of the figures inside a ``with`` block: mplhep's ATLAS style, with smaller type and a second font.

    The second font has the characters that the first lacks.

    Examples:
        >>> import matplotlib as mpl
        >>> before = mpl.rcParams["font.size"]
        >>> with figure_style():
        ...     inside = mpl.rcParams["xtick.direction"]
        >>> inside, mpl.rcParams["font.size"] == before
        ('in', True)
    """
    import mplhep  # loads its fonts, so it is imported only where a figure is made

    settings: Any = {**mplhep.style.ATLAS, **STYLE}
    settings["font.sans-serif"] = [*settings["font.sans-serif"], "DejaVu Sans"]
    with mpl.rc_context(settings):
        yield


def axes_or_new(ax: Axes | None) -> Axes:
    """The given axes, or those of a new figure."""
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def plain(text: str) -> str:
    r"""A user's text as a label: ``$`` is escaped, which matplotlib reads as mathematics, and a long text loses its middle.

    Examples:
        >>> plain("50 $"), len(plain(300 * "l"))
        ('50 \\$', 60)
    """
    return _shortened(text).replace("$", r"\$")


def title_text(text: str) -> str:
    r"""A user's title as a label: mathematics between two ``$`` if matplotlib can read it, else plain text.

    Examples:
        >>> print(title_text(r"$\sigma_t$"), title_text(r"$\frac{$"))
        $\sigma_t$ \$\frac{\$
    """
    if text.count("$") == 0 or text.count("$") % 2:
        return plain(text)
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return plain(text)
    return text


def _shortened(text: str) -> str:
    """A text cut to the length of a label: a longer one would leave no room for the figure."""
    if len(text) <= LONGEST_LABEL:
        return text
    return f"{text[: LONGEST_LABEL // 2]}…{text[len(text) - LONGEST_LABEL // 2 + 1 :]}"


def math_name(name: str) -> str:
    """A name as mathematics if it reads like a symbol with an index, else as plain text.

    Examples:
        >>> math_name("m_t"), math_name("sigma_tt_13TeV")
        ('$m_{t}$', 'sigma_tt_13TeV')
    """
    found = split_symbol(name)
    return f"${found[0]}_{{{found[1]}}}$" if found else plain(name)


def symbol(name: str, title: str = "") -> str:
    """Title of a quantity for an axis, followed by its name if that reads like a symbol."""
    short = math_name(name)
    if not title:
        return short
    return f"{title_text(title)} {short}" if short.startswith("$") else title_text(title)


def set_rows(ax: Axes, names: Sequence[str]) -> None:
    """One labelled row per name, the first at the top, at y = 0, 1, 2, ..."""
    ax.set_yticks(range(len(names)), [plain(name) for name in names])
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(axis="y", which="major", length=0)


def figure_bytes(figure: Figure, ending: str, *, dpi: int = PNG_DPI) -> bytes:
    """Content of the file of a figure, made in memory: matplotlib has an error of its own for a full disk.

    Args:
        figure: what is drawn.
        ending: ``pdf``, ``svg`` or ``png``.
        dpi: dots per inch of a PNG.

    Warns:
        InputWarning: a name holds a character that no font has.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> from bayescomb.output.figures.style import figure_bytes
        >>> figure_bytes(Figure(), "pdf")[:4]
        b'%PDF'
    """
    content = io.BytesIO()
    undated: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(content, format=ending, dpi=dpi, metadata=undated.get(ending, {}))
    missing = []
    for warning in caught:
        found = MISSING_GLYPH.match(str(warning.message))
        if found is None:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif ending != "pdf":  # PDF measures its text in the first font alone
            missing.append(chr(int(found[1])))
    if missing:
        shown = " ".join(dict.fromkeys(missing))
        warn_input(f"no font of the figures has {shown}: boxes are drawn instead; give a title in other letters")
    return content.getvalue()


def pages_bytes(figures: Iterable[Figure]) -> bytes:
    """A PDF with one page per figure.

    Args:
        figures: drawn one after the other, so that only one is held in memory.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> from bayescomb.output.figures.style import pages_bytes
        >>> pages_bytes([Figure(), Figure()]).count(b"/Type /Page ")
        2
    """
    from matplotlib.backends.backend_pdf import PdfPages

    content = io.BytesIO()
    with warnings.catch_warnings(), PdfPages(content, metadata={"CreationDate": None}) as pages:
        warnings.filterwarnings("ignore", message=MISSING_GLYPH.pattern)  # the SVG has warned already
        for figure in figures:
            pages.savefig(figure)
    return content.getvalue()


def save_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures as PDF and PNG into a folder; figures of the same names are replaced.

    Args:
        figures: name of the files without ending -> figure.
        folder: of the files; made if it does not exist.

    Returns:
        The paths.

    Raises:
        OutputError: the folder or a file cannot be written; earlier figures stay complete.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from matplotlib.figure import Figure
        >>> from bayescomb.output.figures.style import save_figures
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
