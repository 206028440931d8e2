"""What a command imports: nothing that it does not use, since imports are most of the time of a short command."""

import subprocess
import sys
from pathlib import Path

import pytest

LIST = """
import sys
from bayescomb.cli.main import main
try:
    main({words!r})
except SystemExit:
    pass
sys.stderr.write("imported: " + " ".join(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
RUN1 = str(Path(__file__).parents[2] / "models" / "run1_mass")
# What bayescomb depends on, with what makes labelled arrays slow to load.
DEPENDENCIES = {
    "arviz", "distributed", "h5netcdf", "h5py", "iminuit", "jinja2", "matplotlib", "mplhep", "numba", "numpy", "nutpie",
    "openpyxl", "pandas", "pymc", "pytensor", "rich", "scipy", "threadpoolctl", "xarray", "yaml",
}  # fmt: skip
ALGEBRA = {"numpy", "scipy", "threadpoolctl"}
LABELLED = ALGEBRA | {"xarray", "pandas", "jinja2", "yaml"}  # xarray loads dask, where it is installed, and that the others
# Command -> the packages that it may import; every command that is not here samples, draws or studies.
IMPORTS = {
    (): set(),
    ("--help",): set(),
    ("--version",): set(),
    ("profile", "--help"): set(),
    ("profil",): set(),
    ("profile", "--nothing"): set(),
    ("completion", "bash"): set(),
    ("models",): ALGEBRA,
    ("reference", "prior"): ALGEBRA,
    ("init", "nowhere/deep", "--observables", "x", "--experiments", "A", "--sources", "s"): ALGEBRA,
    ("profile", RUN1): ALGEBRA,
    ("profile", RUN1, "--json", "-"): ALGEBRA,
    ("check", RUN1): ALGEBRA,
    ("check", RUN1, "--json", "-"): ALGEBRA,
    ("impacts", RUN1): LABELLED,
    ("scan", RUN1, "--points", "2"): LABELLED,
}


def imported(*words):
    """Dependencies that a process has imported after a command."""
    run = subprocess.run(
        [sys.executable, "-c", LIST.format(words=list(words))], capture_output=True, text=True, check=True, timeout=120
    )
    found = set(run.stderr.rpartition("imported: ")[2].split())
    return found & DEPENDENCIES


def name(words):
    return " ".join(word.replace(RUN1, "run1_mass") for word in words) or "alone"


@pytest.mark.parametrize("words", [w for w, packages in IMPORTS.items() if not packages], ids=name)
def test_help_and_typing_errors_import_nothing(words):
    assert not imported(*words)


def test_adaptors_of_fits_import_none_of_their_programs():
    code = "import bayescomb as bc, sys; bc.fits.from_pyhf, bc.combine; print(*(n.partition('.')[0] for n in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    programs = {"arviz", "awkward", "cabinetry", "iminuit", "matplotlib", "pyhf", "pymc", "tensorflow", "uproot", "zfit"}
    assert not set(run.stdout.split()) & programs


@pytest.mark.slow
@pytest.mark.parametrize("words", [w for w, packages in IMPORTS.items() if packages], ids=name)
def test_command_imports_what_it_uses(words):
    assert imported(*words) <= IMPORTS[words]
