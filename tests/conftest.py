"""Fixtures that most test files share: the Run 1 mass combination, and edited copies of its files."""

import csv
import io
import shutil
from pathlib import Path

import pytest
from refusals import changed

import bayescomb as bc

RUN1 = Path(__file__).parents[1] / "models" / "run1_mass"

# Columns that tell the rows of each table apart.
KEY_COLUMNS = {"budget.csv": ("estimate",), "correlations.csv": ("source", "estimate")}


@pytest.fixture(scope="session")
def run1_path():
    """Folder of the Run 1 mass model."""
    return RUN1


@pytest.fixture(scope="session")
def run1(run1_path):
    """The Run 1 mass combination as published: covariance treatment, nominal set."""
    return bc.load(run1_path)


@pytest.fixture
def no_open_figures():
    """Figures of pyplot that a test opens are closed after it."""
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture
def edited_model(run1_path, tmp_path):
    """Factory of a wrong model: a copy of run1_mass with one file edited; edits of one test add up in the same copy.

    ``edited_model("model.toml", replace=(old, new))`` replaces a text that occurs once;
    ``edited_model("budget.csv", row="d", column="stat", cell="0")`` sets one cell of a table, the row named by its key
    columns (``"ptmiss,e"`` in correlations.csv); ``edited_model()`` edits nothing.  All return the folder of the copy.
    """
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.toml", *KEY_COLUMNS):
        shutil.copy(run1_path / name, folder)

    def edit(name=None, *, replace=None, row=None, column=None, cell=None):
        if name is None:
            return folder
        path = folder / name
        text = path.read_text(encoding="utf-8")
        given = {"row": row, "column": column, "cell": cell}
        text = _with_cell(text, name, **given) if replace is None else changed(text, *replace)
        path.write_text(text, encoding="utf-8")
        return folder

    return edit


def _with_cell(text, name, *, row, column, cell):
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    header = lines[start].split(",")
    keys = [header.index(key) for key in KEY_COLUMNS[name]]
    for i in range(start + 1, len(lines)):
        cells = next(csv.reader([lines[i]]))
        if ",".join(cells[k] for k in keys) == row:
            cells[header.index(column)] = cell
            written = io.StringIO()
            csv.writer(written, lineterminator="").writerow(cells)
            lines[i] = written.getvalue()
            return "\n".join(lines) + "\n"
    msg = f"{name} has no row {row!r}"
    raise AssertionError(msg)
