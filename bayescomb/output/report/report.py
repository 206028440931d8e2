"""One folder per result: a page that can be read and printed anywhere, its figures and its tables in full precision."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any, Final

import xarray as xr
from markupsafe import Markup

from bayescomb.base.checks import expects
from bayescomb.base.errors import OutputError
from bayescomb.base.progress import tracked
from bayescomb.base.rounding import counted, significant
from bayescomb.base.threads import single_threaded
from bayescomb.base.working_folders import ASIDE, put_in_place, working_folder
from bayescomb.base.writing import cannot_write, json_text
from bayescomb.fit.profile import ProfileResult
from bayescomb.output.data import comparison_data, impact_data, profile_data, scan_data
from bayescomb.output.explorer_link import EXPLORER, LINK, PLACE
from bayescomb.output.figures.style import figure_bytes, figure_style
from bayescomb.output.page_template import page_template
from bayescomb.output.report.figures import report_figures
from bayescomb.output.report.input_tables import input_tables
from bayescomb.output.report.page import page_context, symbol
from bayescomb.output.report.result_tables import result_tables
from bayescomb.output.report.results import Results, collect
from bayescomb.output.report.theory_tables import extraction_tables, prior_tables
from bayescomb.output.statements import short_notes
from bayescomb.output.tables.table import LATEX_TABLES, latex_table, write_table

__all__ = ["report"]

PAGE: Final = "report.html"
SUFFIXES: Final = {"figures": {".png", ".pdf"}, "tables": {".csv", ".json", ".tex"}}
PNG_DPI: Final = 120
NOTE_HEIGHT: Final = 0.16  # inches


@expects(posterior="posterior", fit="profile")
@single_threaded
def report(
    posterior: xr.DataTree | None, fit: ProfileResult, directory: str | Path, *, progress: bool | None = None
) -> Path:
    """Write the report of a combination.

    The folder holds ``report.html`` (self-contained), ``figures/*.png`` and ``*.pdf`` and ``tables/*.csv`` and ``*.json`` in
    full precision, the main tables as ``*.tex`` too.  It is written beside its place and renamed, so an existing report
    stays whole until the new one is complete; of two processes that write to the same place the one that ends last wins.  An
    ``explorer.html`` of :func:`bayescomb.explore` in it is kept and linked.

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
        # Made before the work, so that a place that cannot be written is known at once.
        with working_folder(target) as folder:
            new = folder / target.name
            new.mkdir()
            explorer = target / EXPLORER
            if explorer.is_file():
                shutil.copy2(explorer, new / EXPLORER)
            _write(collect(posterior, fit), new, progress=progress)
            _check_target(target)  # again: what came meanwhile is not replaced
            put_in_place(new, target, aside=folder / ASIDE)
    except OSError as error:
        raise cannot_write(directory, error, what="the report cannot be written") from error
    return Path(directory) / PAGE


def _check_target(target: Path) -> None:
    """Raise unless the target is absent, empty or a report of ours.

    Raises:
        OutputError: it is something else, or the folder above it does not exist.
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
            f"{target}: holds what is no part of a report ({shown}{', ...' if len(foreign) > 3 else ''}); name a folder "
            "that is new, empty or an earlier report, or move these files away"
        )
        raise OutputError(msg)


def _ours(path: Path) -> bool:
    """Whether a path inside a folder is what a report writes there."""
    if path in (Path(PAGE), Path(EXPLORER)):
        return True
    return len(path.parts) == 2 and path.suffix in SUFFIXES.get(path.parts[0], set())


def _write(results: Results, folder: Path, *, progress: bool | None) -> None:
    for name in SUFFIXES:
        (folder / name).mkdir()
    figures: dict[str, list[dict[str, str]]] = {}
    note = short_notes(results.combination)
    with figure_style():
        for item in tracked(report_figures(results), "figures", progress=progress):
            if note:
                # A strip below everything that is drawn.
                strip = NOTE_HEIGHT / item.figure.get_figheight()
                item.figure.set_layout_engine("constrained", rect=(0, strip, 1, 1 - strip))
                item.figure.text(0.005, 0.005, note, ha="left", va="bottom", fontsize=7.5, color="#b00020")
            path = folder / "figures" / f"{item.name}.png"
            picture = figure_bytes(item.figure, "png", dpi=PNG_DPI)
            path.write_bytes(picture)
            item.figure.set_layout_engine("none")  # the layout is worked out once and kept for both files
            path.with_suffix(".pdf").write_bytes(figure_bytes(item.figure, "pdf", dpi=PNG_DPI))
            data = base64.b64encode(picture).decode("ascii")
            entry = {"name": item.name, "caption": item.caption, "data": data}
            figures.setdefault(item.kind, []).append(entry)
    tables = input_tables(results) | result_tables(results) | extraction_tables(results) | prior_tables(results)
    for table in tables.values():
        if table.rows:
            write_table(table, folder / "tables", results.combination)
            if table.name in LATEX_TABLES:
                text = latex_table(table, results.combination)
                (folder / "tables" / f"{table.name}.tex").write_text(text, encoding="utf-8")
    for name, document in _documents(results).items():
        (folder / "tables" / f"{name}.json").write_text(json_text(document), encoding="utf-8")
    link = {"explorer": (folder / EXPLORER).is_file(), "explorer_link": Markup(LINK), "explorer_place": Markup(PLACE)}
    template = page_template(Path(__file__).parent / PAGE, symbol=symbol, counted=counted, significant=significant)
    page = template.render(**page_context(results), **link, tables=tables, figures=figures, latex=LATEX_TABLES)
    (folder / PAGE).write_text(page, encoding="utf-8")


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
