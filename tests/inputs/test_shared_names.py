"""Nuisances that two inputs call by one name, read as one nuisance on request."""

import dataclasses

import numpy as np
import pytest
from convino_files import RIGHT, Files
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import DuplicateNameError, OptionError
from bayescomb.cli.main import main
from bayescomb.formats.convino.base_file import load_convino
from bayescomb.inputs.serialise import difference

BOOSTED = """\
[correlation matrix]
  Recoil (0.4) 1.0
  mt_b (0.5) 0.3 1.0
[end correlation matrix]
[systematics]
[end systematics]
[estimates]
  n_estimates = 1
  name_0 = mt_b
  value_0 = 173.0
[end estimates]
"""
EXTERNAL = """\
[not fitted]
  Recoil stat
  mt_j -1.0 1.2
[end not fitted]
[systematics]
[end systematics]
[estimates]
  n_estimates = 1
  name_0 = mt_j
  value_0 = 172.0
[end estimates]
"""
BASE = """\
[global]
[end global]
[inputs]
  nFiles = 2
  file0 = b.txt
  file1 = j.txt
[end inputs]
[observables]
  mt = mt_b + mt_j
[end observables]
[correlations]
[end correlations]
[uncertainty impacts]
  recoil = Recoil
[end uncertainty impacts]
"""


@pytest.fixture
def base(tmp_path):
    for name, text in (("base", BASE), ("b", BOOSTED), ("j", EXTERNAL)):
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path / "base.txt"


def expected():
    """Value and error of the mass from the joint chi2 of (mt, Recoil), the prior of Recoil counted once.

    The first input's fit holds the prior in its information H, so that it is taken out of there and added for both.  The
    second input says mt_j = mt - k Recoil with k = 1: its column states the shift of the true value.
    """
    covariance = np.array([[0.5**2, 0.3 * 0.5 * 0.4], [0.3 * 0.5 * 0.4, 0.4**2]])
    first = np.linalg.inv(covariance)
    row = np.array([1.0, 1.0])
    information = first + np.outer(row, row) / 1.2**2
    gradient = first @ [173.0, 0.0] + row * 172.0 / 1.2**2
    return np.linalg.solve(information, gradient)[0], np.sqrt(np.linalg.inv(information)[0, 0])


def test_shared_name_is_an_error_unless_it_is_asked_for(base):
    with refused(DuplicateNameError, "j.txt:2", "'Recoil'", "b.txt:2", "--shared-names same"):
        load_convino(base)
    with refused(OptionError, "shared_names", "'one'", "error, same"):
        load_convino(base, shared_names="one")


def test_shared_name_is_one_nuisance_on_request(base):
    combination = bc.load(base, shared_names="same")
    fit = bc.profile(combination)
    np.testing.assert_allclose((fit.values.item(), fit.errors.item()), expected(), rtol=1e-10)
    np.testing.assert_allclose(fit.pulls[0], fit.pulls[1], atol=1e-10)
    assert combination.impact_groups["recoil"] == ("Recoil", "Recoil_j")
    # The same as two names with a correlation of 1.
    (base.parent / "j.txt").write_text(EXTERNAL.replace("Recoil", "Recoil_j"))
    base.write_text(BASE.replace("[correlations]", "[correlations]\n  Recoil = (1.0) Recoil_j"))
    two = bc.profile(load_convino(base))
    np.testing.assert_allclose(two.values, fit.values, rtol=1e-12)
    np.testing.assert_allclose(two.covariance, fit.covariance, rtol=1e-12)


def test_sizes_of_one_nuisance_are_uncertain_together(base):
    combination = bc.load(base, shared_names="same")
    assert [n.source for n in combination.nuisances] == ["Recoil", "Recoil"]
    assert [s.name for s in combination.sources] == ["Recoil"]


def test_correlation_with_a_shared_name_is_one_with_every_copy(tmp_path):
    files = Files(tmp_path)
    files.texts["right.txt"] = RIGHT.replace("r_scale", "l_scale")
    files.texts["base.txt"] = files.texts["base.txt"].replace("0.9) r_scale", "0.9) r_model").replace("+ r_scale", "")
    del files.texts["more.txt"]
    files.texts["base.txt"] = files.texts["base.txt"].replace("#!FILE = more.txt", "")
    combination = load_convino(files.write(), shared_names="same")
    pairs = {c.name: {(p.first, p.second) for p in c.pairs} for c in combination.assumption_set.coefficients}
    assert pairs["l_scale x r_model"] == {("l_scale", "r_model"), ("l_scale_right", "r_model")}
    assert pairs["l_scale is one nuisance"] == {("l_scale", "l_scale_right")}
    assert bc.check(combination).sizes["nuisances"] == 5


def test_free_nuisance_cannot_be_shared(base):
    folder = base.parent
    for name, text in (("b", BOOSTED), ("j", EXTERNAL)):
        (folder / f"{name}.txt").write_text(text.replace("[systematics]", "[systematics]\n  Recoil = free"))
    with refused(OptionError, "base.txt", "'Recoil'", "'b' and 'j'", "free"):
        load_convino(base, shared_names="same")


def test_estimate_is_never_shared(base):
    (base.parent / "j.txt").write_text(EXTERNAL.replace("mt_j", "mt_b"))
    with refused(DuplicateNameError, "'mt_b' is already used"):
        load_convino(base, shared_names="same")


MODEL = """\
format = 1
name = "masses"
assumptions = "nominal"
SHARED
[[observables]]
name = "mt"
[[measurements]]
name = "b"
convino = "b.txt"
observables = { mt_b = "mt" }
[[measurements]]
name = "j 13"
convino = "j.txt"
observables = { mt_j = "mt" }
[[impact_groups]]
name = "recoil"
nuisances = ["Recoil"]
[[assumption_sets]]
name = "nominal"
"""


def test_model_file_says_that_names_are_shared(base, tmp_path, capsys):
    path = base.parent / "model.toml"
    path.write_text(MODEL.replace("SHARED", ""))
    with refused(DuplicateNameError, "model.toml", "'b' and 'j 13'", "'Recoil'", 'shared_names = "same"'):
        bc.load(path)
    asked = bc.load(path, shared_names="same")
    path.write_text(MODEL.replace("SHARED", 'shared_names = "same"'))
    said = bc.load(path)
    assert not difference(said, asked)
    assert [n.name for n in said.nuisances] == ["Recoil", "Recoil_j_13"]
    np.testing.assert_allclose(bc.profile(said).values.item(), expected()[0], rtol=1e-10)
    with refused(DuplicateNameError, "Recoil"):
        bc.load(path, shared_names="error")
    # What is converted states the names and the correlation.
    assert main(["convert", str(base), str(tmp_path / "out"), "--shared-names", "same"]) == 0
    (tmp_path / "files").mkdir()
    assert main(["convert", str(base), str(tmp_path / "files" / "c.txt"), "--shared-names", "same"]) == 0
    capsys.readouterr()
    assert not difference(bc.load(tmp_path / "out"), bc.load(base, shared_names="same"))
    back = bc.profile(load_convino(tmp_path / "files" / "c.txt"))
    np.testing.assert_allclose(back.values.item(), expected()[0], rtol=1e-10)


def test_blocks_of_a_shared_name_hold_every_copy(base):
    measurements = bc.load(base, shared_names="same").measurements
    plain = [_renamed(m) for m in measurements]
    from bayescomb.inputs.relations import shared_nuisances

    other = dataclasses.replace(plain[1], nuisances=(*plain[1].nuisances, bc.Nuisance(name="JES")), responses=[[1.0, 0.4]],
                                down_responses=None)  # fmt: skip
    one = shared_nuisances([plain[0], other], where="here")
    block = bc.CorrelationBlock(name="block", nuisances=("Recoil", "JES"), correlation=[[1.0, 0.3], [0.3, 1.0]])
    found = one.assumptions(bc.AssumptionSet(name="set", blocks=(block,)))
    assert found.blocks[0].nuisances == ("Recoil", "Recoil_j", "JES")
    np.testing.assert_array_equal(found.blocks[0].correlation, [[1, 0, 0.3], [0, 1, 0.3], [0.3, 0.3, 1]])
    assert found.coefficients[0].nominal == 1.0


def _renamed(measurement):
    """The measurement as its file has it."""
    nuisance = (bc.Nuisance(name="Recoil"),)
    if measurement.fit is None:
        return dataclasses.replace(measurement, nuisances=nuisance)
    return dataclasses.replace(measurement, fit=dataclasses.replace(measurement.fit, nuisances=nuisance))
