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
sys.stderr.write("imported: " + " ".join(sorted(sys.modules)))
"""
RUN1 = str(Path(__file__).parents[2] / "models" / "run1_mass")
# What bayescomb depends on, with what makes labelled arrays slow to load.
DEPENDENCIES = {
    "arviz", "distributed", "h5netcdf", "h5py", "iminuit", "jinja2", "matplotlib", "mplhep", "numba", "numpy", "nutpie",
    "openpyxl", "pandas", "pymc", "pytensor", "rich", "scipy", "threadpoolctl", "xarray", "yaml",
}  # fmt: skip
ALGEBRA = {"numpy", "scipy", "threadpoolctl"}
# Modules that a combination of a budget, in closed form, does not use: of scipy those that take longer to load than a
# profile has to work, of bayescomb those of other models and of other commands.
UNUSED = {
    "scipy.optimize", "scipy.special", "scipy.stats", "bayescomb.fit.averaging.inconsistency",
    "bayescomb.fit.averaging.information", "bayescomb.fit.averaging.some_inputs", "bayescomb.fit.functions",
    "bayescomb.fit.minimise.extraction", "bayescomb.fit.minimise.first_guess", "bayescomb.fit.minimise.kinks",
    "bayescomb.fit.minimise.mass_chi2", "bayescomb.fit.minimise.nonlinear", "bayescomb.fit.minimise.sizes",
    "bayescomb.fit.scan", "bayescomb.formats.convino", "bayescomb.formats.fits", "bayescomb.formats.hepdata",
    "bayescomb.formats.hflav", "bayescomb.formats.toml.prediction_tables", "bayescomb.formats.toml.measurements.reader",
    "bayescomb.formats.toml.parameters", "bayescomb.formats.toml.predictions", "bayescomb.inputs.blinding",
    "bayescomb.inputs.traced", "bayescomb.likelihood.nonlinear",
    "bayescomb.likelihood.simulation", "bayescomb.likelihood.theory", "bayescomb.likelihood.uncertain_sizes",
}  # fmt: skip
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
    ("impacts", RUN1): ALGEBRA,
    ("scan", RUN1, "--points", "2"): LABELLED,
}


def modules(*words):
    """All modules that a process has imported after a command."""
    run = subprocess.run(
        [sys.executable, "-c", LIST.format(words=list(words))], capture_output=True, text=True, check=True, timeout=120
    )
    return set(run.stderr.rpartition("imported: ")[2].split())


def imported(*words):
    """Dependencies that a process has imported after a command."""
    return {name.partition(".")[0] for name in modules(*words)} & DEPENDENCIES


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


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "profile"])
def test_model_in_closed_form_loads_nothing_of_others(command):
    assert not modules(command, RUN1) & UNUSED
