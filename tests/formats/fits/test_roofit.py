"""RooFitResult in ROOT files, and the text of TRExFitter: fits that RooFit made of the two analyses, and of both together.

The files of tests/data/fits were written once with ROOT 6.40 (write_root_fits.py there).
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from refusals import refused
from two_workspaces import fitted, of, workspaces

import bayescomb as bc
from bayescomb.base.errors import FileFormatError, FitError, InvalidMatrixError, UnknownNameError
from bayescomb.base.numerics import correlation_of
from bayescomb.formats.fits.roofit import _written, read_roofit

FITS = Path(__file__).parents[2] / "data" / "fits"
VALUE, ERROR = 0.05, 0.02
# As ROOT prints joint.root: r, jes, bkg_south with their errors.
PRINTED = {"r": (1.0074, 0.0258), "jes": (0.71051, 0.191), "bkg_south": (-0.56, 0.201)}


def combined(read, suffix, **options):
    fits = [
        read(name.title(), name.title(), path=FITS / f"{name}.{suffix}", results={"r": "mu"}, **options)
        for name in ("north", "south")
    ]
    return bc.combine(fits, shared_names="same")


@pytest.fixture(scope="module")
def joint():
    """Value and error of r of the joint fit in RooFit."""
    found = read_roofit(FITS / "joint.root")
    i = found.parameters.index("r")
    return float(found.values[i]), float(np.sqrt(found.covariance[i, i]))


def test_numbers_are_those_that_root_prints():
    found = read_roofit(FITS / "joint.root", "fit_s")
    errors = np.sqrt(np.diag(found.covariance))
    for name, (value, error) in PRINTED.items():
        i = found.parameters.index(name)
        assert found.values[i] == pytest.approx(value, abs=6e-3 if name == "bkg_south" else 6e-5)
        assert errors[i] == pytest.approx(error, abs=6e-4)
    # nuisances_prefit names all but r, each with centre 0 and width 1.
    assert found.free == ["r"]
    assert not found.priors


@pytest.mark.parametrize(
    ("read", "suffix", "options"),
    [
        (bc.fits.from_roofit, "root", {}),
        (bc.fits.from_roofit, "root", {"fit": "fit_s"}),
        (bc.fits.from_trexfitter, "txt", {}),
    ],
    ids=["RooFitResult", "by name", "TRExFitter"],
)
def test_combination_is_the_joint_fit(read, suffix, options, joint):
    combination = combined(read, suffix, **options)
    value, error = joint
    fit = bc.profile(combination)
    assert abs(float(fit.values[0]) - value) < VALUE * error
    assert abs(float(fit.errors[0]) / error - 1) < ERROR
    ignored = bc.profile(combination.with_nuisance_values("ignored"))
    assert 0.27 < (float(ignored.values[0]) - value) / error < 0.33


def test_text_and_root_file_say_the_same():
    """Correlations agree to the six digits of the text.

    Its errors are those of Minuit, which takes them through the limits of a parameter, the covariance linearised: they
    differ by less than 1 % here.
    """
    root = bc.fits.from_roofit("a", path=FITS / "north.root", results=["r"])
    text = bc.fits.from_trexfitter("a", path=FITS / "north.txt", results=["r"])
    assert [n.name for n in root.all_nuisances] == [n.name for n in text.all_nuisances]
    np.testing.assert_allclose(root.estimates[0].value, text.estimates[0].value, rtol=1e-5)
    np.testing.assert_allclose(root.fit.pulls, text.fit.pulls, rtol=1e-5)
    one, other = (np.linalg.inv(m.fit.information) for m in (root, text))
    np.testing.assert_allclose(correlation_of(one), correlation_of(other), atol=2e-6)
    np.testing.assert_allclose(np.diag(one), np.diag(other), rtol=0.02)


@pytest.mark.slow
def test_roofit_and_pyhf_fit_the_same_likelihood(joint):
    """Two programs, two parametrisations of the template statistics, one likelihood."""
    value, error = of(*fitted(workspaces()[2]), "mu")
    assert abs(joint[0] - value) < 0.01 * error
    assert joint[1] == pytest.approx(error, rel=ERROR)


@pytest.mark.slow
def test_posterior_of_root_files_is_the_joint_fit(joint):
    from bayescomb.sampling.posterior.summary import result_moments

    tree = bc.sample(combined(bc.fits.from_roofit, "root"), seed=2, draws=200, tune=200, chains=2, progress=False)
    mean, sd = result_moments(tree, "mu")
    assert abs(mean - joint[0]) < VALUE * joint[1]
    assert abs(sd / joint[1] - 1) < ERROR


def test_a_model_file_names_the_fit(tmp_path, joint):
    """The entry of a model file, its patterns and its sources, with the figures of the joint fit."""
    entry = """
[[measurements]]
name = "{name}"
experiment = "{name}"
fit = "{name}.root:fit_s"
results = {{ r = "mu" }}
left_out = ["prop_bin*"]
sources = {{ "bkg_*" = "background" }}
"""
    text = 'format = 1\nname = "two"\nobservables = [{ name = "mu" }]\nshared_names = "same"\n'
    text += 'sources = [{ name = "background" }]\n[[assumption_sets]]\nname = "nominal"\n'
    for name in ("north", "south"):
        shutil.copy(FITS / f"{name}.root", tmp_path)
        text += entry.format(name=name)
    (tmp_path / "model.toml").write_text(text)
    combination = bc.load(tmp_path)
    fit = bc.profile(combination)
    assert abs(float(fit.values[0]) - joint[0]) < VALUE * joint[1]
    assert abs(float(fit.errors[0]) / joint[1] - 1) < ERROR
    assert {n.name: n.source for n in combination.nuisances if n.name.startswith("bkg")} == dict.fromkeys(
        ("bkg_north", "bkg_south"), "background"
    )
    # Template statistics that are left out stay in the covariance of the rest: nothing has changed.
    whole = bc.profile(combined(bc.fits.from_roofit, "root"))
    np.testing.assert_allclose([fit.values[0], fit.errors[0]], [whole.values[0], whole.errors[0]], rtol=1e-9)


class TestRefused:
    def test_no_file(self):
        with refused(FileFormatError, "nowhere.root", "no such file"):
            bc.fits.from_roofit("a", path="nowhere.root", results=["r"])

    @pytest.mark.parametrize(("file", "size"), [("north.txt", None), ("north.root", 3000)], ids=["text", "cut off"])
    def test_no_root_file(self, tmp_path, file, size):
        (tmp_path / "north.root").write_bytes((FITS / file).read_bytes()[:size])
        with refused(FileFormatError, "north.root", "cannot be read as a ROOT file"):
            bc.fits.from_roofit("a", path=tmp_path / "north.root", results=["r"])

    def test_no_such_fit(self):
        with refused(UnknownNameError, "north.root", "no fit 'fit_b'", "it has 'fit_s'"):
            bc.fits.from_roofit("a", path=FITS / "north.root", fit="fit_b", results=["r"])

    def test_no_such_result(self):
        with refused(UnknownNameError, "results of fit 'a'", "'mu'"):
            bc.fits.from_roofit("a", path=FITS / "north.root", results=["mu"])

    @pytest.mark.parametrize(("status", "quality"), [(4, 3), (0, 0)])
    def test_not_converged(self, status, quality):
        class Found:
            def member(self, name):
                return {"_status": status, "_covQual": quality, "_VM": None}[name]

        with refused(FitError, "here", f"status {status}, quality of the covariance {quality}"):
            _written(Found(), None, where="here")

    def test_without_uproot(self):
        code = (
            "import sys; sys.modules['uproot'] = None\n"
            "import bayescomb as bc\n"
            f"try: bc.fits.from_roofit('a', path={str(FITS / 'north.root')!r}, results=['r'])\n"
            "except bc.BayescombError as error: print(error)"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert "uproot is needed" in said
        assert "bayescomb[fits]" in said

    @pytest.mark.parametrize(
        ("old", "new", "error", "said"),
        [
            ("NUISANCE_PARAMETERS", "PARAMETERS", FileFormatError, ["NUISANCE_PARAMETERS and then CORRELATION_MATRIX"]),
            ("lumi  ", "lumi", FileFormatError, [":4", "NAME VALUE +UP -DOWN"]),
            ("CORRELATION_MATRIX\n8", "CORRELATION_MATRIX\n8 8\n8", FileFormatError, ["8 rows and columns"]),
            ("   1\n", "   0.5\n", InvalidMatrixError, ["neither diagonal"]),
        ],
    )
    def test_broken_text(self, tmp_path, old, new, error, said):
        text = (FITS / "north.txt").read_text()
        assert old in text
        (tmp_path / "fit.txt").write_text(text.replace(old, new, 1))
        with refused(error, "fit.txt", *said):
            bc.fits.from_trexfitter("a", path=tmp_path / "fit.txt", results=["r"])


def test_a_text_in_plain_order_and_with_template_statistics(tmp_path):
    lines = ["NUISANCE_PARAMETERS", "JES 0.3 +0.9 -0.7", "gamma_stat_bin_0 1.01 +0.02 -0.02", "mu 1.1 +0.2 -0.2"]
    lines += ["fixed 1 +0 -0", "", "CORRELATION_MATRIX", "4 4", "1 0.1 0.3 0", "0.1 1 0 0", "0.3 0 1 0", "0 0 0 1", ""]
    (tmp_path / "fit.txt").write_text("\n".join(lines))
    found = bc.fits.from_trexfitter("ttH", path=tmp_path / "fit.txt", results=["mu"])
    assert [n.name for n in found.all_nuisances] == ["JES"]
    # Errors +0.9 -0.7 count as 0.8: covariance of mu and JES 0.3 * 0.2 * 0.8.
    np.testing.assert_allclose(np.linalg.inv(found.fit.information), [[0.04, 0.048], [0.048, 0.64]])
