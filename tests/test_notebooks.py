"""The notebooks and the scripts of the models run as they are, quietly, and leave nothing behind."""

import json
import re
import runpy
import shutil
import tempfile
from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.usefixtures("no_open_figures")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path for path in ROOT.glob("notebooks/*.py") if path.name not in {"conf.py", "execute.py"})
SCRIPTS = sorted(ROOT.glob("models/*/sample.py"))

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # """


# Notebook -> its figures; those that sample say that they have converged.
FIGURES = {
    "calibration": 2, "coming_from_blue": 0, "first_combination": 1, "from_convino": 1, "from_pyhf": 0, "functions": 0,
    "hepdata": 0, "own_model": 1, "run1_mass": 0, "timing": 0, "ttj_rho": 4,
}  # fmt: skip
SAMPLED = {"first_combination", "from_convino", "from_pyhf", "functions", "own_model", "run1_mass", "ttj_rho"}


def cases(paths, name):
    return [pytest.param(path, id=name(path)) for path in paths]


def content(folder):
    """Files below a folder with what is in them, the interpreter's caches left out."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the models and the notebooks, which must be as it was afterwards; temporary folders must be gone."""
    copy, scratch = tmp_path / "checkout", tmp_path / "scratch"
    for name in ("models", "notebooks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(copy)
    before = content(copy)
    with threadpool_limits(limits=1, user_api="blas"):  # a notebook may change the limit, which ends here
        yield copy
    assert content(copy) == before
    assert not list(scratch.iterdir())


def run(path, capfd):
    """Standard output of a script that says nothing on the other channel; a warning is an error here."""
    capfd.readouterr()
    runpy.run_path(str(path))
    out, err = capfd.readouterr()
    assert not err
    return out


@pytest.mark.slow
@pytest.mark.parametrize("notebook", cases(NOTEBOOKS, lambda path: path.stem))
def test_notebook_runs(notebook, checkout, monkeypatch, capfd):
    assert notebook.read_text(encoding="utf-8").startswith(HEADER)
    monkeypatch.chdir(checkout / "notebooks")
    out = run(Path(notebook.name), capfd)
    assert ("converged" in out) is (notebook.stem in SAMPLED)
    assert "must not be used" not in out
    assert len(plt.get_fignums()) == FIGURES[notebook.stem]
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    assert not capfd.readouterr().err  # matplotlib logs what it does not find


@pytest.mark.parametrize("name", ["run1_mass", "ttj_rho"])
def test_notebook_finds_its_model_from_the_root_too(name, checkout):
    source = (checkout / "notebooks" / f"{name}.py").read_text(encoding="utf-8")
    code = next(cell for cell in re.split(r"^# %%", source, flags=re.MULTILINE)[1:] if not cell.startswith(" [markdown]"))
    names = {}
    exec(compile(code, name, "exec"), names)
    assert names["combination"].name == name


def test_every_case_has_a_notebook_and_a_script():
    assert {path.stem for path in NOTEBOOKS} == FIGURES.keys()
    assert {path.parent.name for path in SCRIPTS} == {path.parent.name for path in ROOT.glob("models/*/model.toml")}


@pytest.mark.slow
@pytest.mark.parametrize("script", cases(SCRIPTS, lambda path: path.parent.name))
def test_model_script_is_short_and_runs(script, checkout, capfd):
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40
    out = run(checkout / script.relative_to(ROOT), capfd)
    assert "converged" in out
    assert "must not be used" not in out


def cells_of(script):
    """Kind and source of each cell of a script in percent form."""
    found = []
    for cell in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        head, _, body = cell.partition("\n")
        if "[markdown]" in head:
            body = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip("\n").split("\n"))
            found.append(("markdown", body))
        else:
            found.append(("code", body.strip("\n")))
    return found


@pytest.mark.parametrize("notebook", cases(NOTEBOOKS, lambda path: path.stem))
def test_what_is_read_is_in_step_with_what_runs(notebook):
    """The .ipynb beside a script has its cells, an output where there is one, no error, and nothing of the machine."""
    text = notebook.with_suffix(".ipynb").read_text(encoding="utf-8")
    document = json.loads(text)
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in document["cells"]]
    assert found == cells_of(notebook.read_text(encoding="utf-8")), (
        f"make notebooks, or notebooks/execute.py {notebook.stem}"
    )
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in code)
    assert not [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    assert sum("image/png" in o.get("data", {}) for cell in code for o in cell["outputs"]) >= FIGURES[notebook.stem]
    assert not re.search(r"/(root|home|work|tmp|usr)/", text)


@pytest.mark.parametrize("notebook", cases(NOTEBOOKS, lambda path: path.stem))
def test_a_notebook_has_one_question_and_its_answer(notebook):
    (kind, first), *_ = cells_of(notebook.read_text(encoding="utf-8"))
    assert kind == "markdown"
    assert first.count("**Question.**") == first.count("**Answer.**") == 1
