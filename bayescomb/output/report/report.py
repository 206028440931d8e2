"""One folder per result: a page that can be read and printed anywhere, its figures and its tables in full precision."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure

from bayescomb.base.checks import expects
from bayescomb.base.errors import OutputError
from bayescomb.base.files.working_folders import ASIDE, put_in_place, working_folder
from bayescomb.base.files.writing import cannot_write, json_text
from bayescomb.base.numerics import single_threaded
from bayescomb.base.progress import tracked
from bayescomb.base.rounding import counted, significant
from bayescomb.fit.profile import ProfileResult
from bayescomb.output.data.results import comparison_data, impact_data, profile_data, scan_data
from bayescomb.output.figures.style import figure_bytes, figure_style, pages_bytes
from bayescomb.output.page_template import EXPLORER, LINK, PLACE, page_template
from bayescomb.output.report.figure import ReportFigure
from bayescomb.output.report.figures import report_figures
from bayescomb.output.report.page import page_context, symbol, symbols
from bayescomb.output.report.results import Results, collect
from bayescomb.output.report.tables.inputs import input_tables
from bayescomb.output.report.tables.results import result_tables
from bayescomb.output.report.tables.theory import extraction_tables, prior_tables
from bayescomb.output.report.told.appendix import appendix
from bayescomb.output.statements import short_notes
from bayescomb.output.tables.table import LATEX_TABLES, Table, latex_table, write_table

__all__ = ["page_tables", "report"]

PAGE: Final = "report.html"
FULL: Final = "report_full.html"
APPENDIX: Final = "appendix.tex"
# Types of files in the folders; earlier versions wrote PNG figures, and their reports can be replaced too.
SUFFIXES: Final = {"figures": {".svg", ".pdf", ".png"}, "tables": {".csv", ".json", ".tex"}}
NOTE_HEIGHT: Final = 0.16  # inches


@expects(posterior="posterior", fit="profile")
@single_threaded
def report(
    posterior: xr.DataTree | None, fit: ProfileResult, directory: str | Path, *, progress: bool | None = None
) -> Path:
    """Write the report of a combination.

    The folder holds ``report.html`` (the result and its main points, the details folded) and ``report_full.html`` (the same
    unfolded, with more rows), both self-contained, ``figures/*.svg`` and ``*.pdf``, ``tables/*.csv`` and ``*.json`` in full
    precision, the main tables as ``*.tex`` too, and ``appendix.tex``, a note's appendix of tables and figures.

    It is written under another name and renamed, so that an existing report stays complete until the new one is; of two
    processes that write to the same place the last one wins.  An ``explorer.html`` of :func:`bayescomb.explore` in it is
    kept and linked.

    Args:
        posterior: a tree of :func:`bayescomb.sample`, or ``None`` for the profile alone.  If it has not converged the page
            says so in red and shows none of its numbers but the diagnostics.
        fit: the profile of the same combination under the same assumption set and treatment.
        progress: show a progress bar; by default in a terminal and in a notebook.
        directory: the folder; absent, empty, or an earlier report, which is replaced.

    Returns:
        Path of the page.

    Raises:
        PosteriorError: posterior and profile do not belong together.
        OutputError: the folder holds something else or cannot be written.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass").only(["ATLAS"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     bc.report(None, bc.profile(combination), f"{folder}/report").name
        'report.html'
    """
    target = Path(directory).absolute()
    _check_target(target)
    try:
        # Made before the work, so that a place that cannot be written fails at once.
        with working_folder(target) as folder:
            new = folder / target.name
            new.mkdir()
            explorer = target / EXPLORER
            if explorer.is_file():
                shutil.copy2(explorer, new / EXPLORER)
            _write(collect(posterior, fit), new, progress=progress)
            _check_target(target)  # checked again: files that appeared meanwhile are not replaced
            put_in_place(new, target, aside=folder / ASIDE)
    except OSError as error:
        raise cannot_write(directory, error, what="the report cannot be written") from error
    return Path(directory) / PAGE


def _check_target(target: Path) -> None:
    """Raise unless the target is absent, empty or an earlier report.

    Raises:
        OutputError: it is none of these, or the folder above it does not exist.
    """
    if not target.parent.is_dir():
        msg = f"{target}: the folder {target.parent} does not exist; make it first"
        raise OutputError(msg)
    if not (target.exists() or target.is_symlink()):
        return
    if target.is_symlink() or not target.is_dir():
        msg = f"{target}: exists and is no folder; name a folder that is new, empty or an earlier report"
        raise OutputError(msg)
    try:
        entries = sorted(p for p in target.rglob("*") if not p.is_dir() or p.relative_to(target).parts[0] not in SUFFIXES)
    except OSError as error:
        msg = f"{target}: cannot be read ({error.strerror or error}); choose another folder"
        raise OutputError(msg) from error
    foreign = [p for p in entries if not _ours(p.relative_to(target))]
    if (entries and not (target / PAGE).is_file()) or foreign:
        shown = ", ".join(str(p.relative_to(target)) for p in foreign[:3]) or "no report.html"
        msg = (
            f"{target}: holds what a report does not write ({shown}{', ...' if len(foreign) > 3 else ''}); name a folder "
            "that is new, empty or an earlier report, or move these files away"
        )
        raise OutputError(msg)


def _ours(path: Path) -> bool:
    """Whether a report writes a file of this path, relative to its folder."""
    if path in (Path(PAGE), Path(FULL), Path(APPENDIX), Path(EXPLORER)):
        return True
    return len(path.parts) == 2 and path.suffix in SUFFIXES.get(path.parts[0], set())


def _write(results: Results, folder: Path, *, progress: bool | None) -> None:
    for name in SUFFIXES:
        (folder / name).mkdir()
    figures: dict[str, list[dict[str, str]]] = {}
    note = short_notes(results.combination)
    with figure_style():
        for item in tracked(report_figures(results), "figures", progress=progress):
            picture = _draw(item, note, folder / "figures")
            width, height = (round(96 * size) for size in item.figure.get_size_inches())
            figures.setdefault(item.kind, []).append(
                {"name": item.name, "caption": item.caption, "data": picture, "width": str(width), "height": str(height)}
            )
    tables = page_tables(results)
    for table in tables.values():
        if table.rows:
            write_table(table, folder / "tables", results.combination)
            if table.name in LATEX_TABLES:
                text = latex_table(table, results.combination)
                (folder / "tables" / f"{table.name}.tex").write_text(text, encoding="utf-8")
    for name, document in _documents(results).items():
        (folder / "tables" / f"{name}.json").write_text(json_text(document), encoding="utf-8")
    captions = [(entry["name"], entry["caption"]) for kind in figures.values() for entry in kind]
    (folder / APPENDIX).write_text(appendix(results.combination, tables, captions), encoding="utf-8")
    link = {"explorer": (folder / EXPLORER).is_file(), "explorer_link": Markup(LINK), "explorer_place": Markup(PLACE)}
    own = Path(__file__).parent
    template = page_template(own / PAGE, symbol=symbol, counted=counted, significant=significant, symbols=symbols)
    style = Markup((own / "report.css").read_text(encoding="utf-8"))
    context = page_context(results, tables) | link
    for name, full in ((PAGE, False), (FULL, True)):
        page = template.render(**context, full=full, style=style, tables=tables, figures=figures, latex=LATEX_TABLES)
        (folder / name).write_text(page, encoding="utf-8")


def _draw(item: ReportFigure, note: str, folder: Path) -> str:
    """Write the figure as SVG and as PDF; return the SVG in base 64."""
    _remark(item.figure, note)
    picture = figure_bytes(item.figure, "svg")
    (folder / f"{item.name}.svg").write_bytes(picture)
    item.figure.set_layout_engine("none")  # the layout is worked out once and kept for both files
    pdf = folder / f"{item.name}.pdf"
    if item.more:
        pdf.write_bytes(pages_bytes(_pages(item, note)))
    else:
        pdf.write_bytes(figure_bytes(item.figure, "pdf"))
    return base64.b64encode(picture).decode("ascii")


def _pages(item: ReportFigure, note: str) -> Iterator[Figure]:
    yield item.figure
    for draw in item.more:
        figure = draw()
        _remark(figure, note)
        yield figure


def _remark(figure: Figure, note: str) -> None:
    """Add a strip below the figure with the notes without which it must not be shown."""
    if note:
        strip = NOTE_HEIGHT / figure.get_figheight()
        figure.set_layout_engine("constrained", rect=(0, strip, 1, 1 - strip))
        figure.text(0.005, 0.005, note, ha="left", va="bottom", fontsize=7.5, color="#b00020")


def page_tables(results: Results) -> dict[str, Table]:
    """The tables of the page by name, those without a row too."""
    return input_tables(results) | result_tables(results) | extraction_tables(results) | prior_tables(results)


def _documents(results: Results) -> dict[str, dict[str, Any]]:
    """The complete results, as the command line writes them with ``--json``."""
    documents = {
        "result_profile": profile_data(results.fit),
        "result_scan": scan_data(results.scan),
        "result_impacts": impact_data(results.impacts),
    }
    if results.comparison is not None:
        documents["result_compare"] = comparison_data(results.comparison, results.divided)
    return documents
