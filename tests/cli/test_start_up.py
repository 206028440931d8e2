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


def imported(*words):
    """Packages that a process has imported after a command."""
    run = subprocess.run(
        [sys.executable, "-c", LIST.format(words=list(words))], capture_output=True, text=True, check=True, timeout=120
    )
    return set(run.stderr.rpartition("imported: ")[2].split())


@pytest.mark.parametrize("words", [("--help",), ("profile", "--help"), ("profil",), ("profile", "--nothing")], ids=" ".join)
def test_help_and_typing_errors_import_no_numpy(words):
    assert not imported(*words) & {"numpy", "scipy", "xarray", "pandas", "rich", "matplotlib", "pymc", "arviz"}


def test_adaptors_of_fits_import_none_of_their_programs():
    code = "import bayescomb as bc, sys; bc.fits.from_pyhf, bc.combine; print(*(n.partition('.')[0] for n in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    programs = {"arviz", "awkward", "cabinetry", "iminuit", "matplotlib", "pyhf", "pymc", "tensorflow", "uproot", "zfit"}
    assert not set(run.stdout.split()) & programs


@pytest.mark.slow
@pytest.mark.parametrize("command", ["profile", "scan"])
def test_fits_import_neither_the_sampler_nor_what_draws(command):
    model = Path(__file__).parents[2] / "models" / "run1_mass"
    assert not imported(command, str(model)) & {"arviz", "matplotlib", "pymc", "rich"}
