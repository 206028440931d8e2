"""What an extraction, its PDF set and its scales allow; names of parameters; the part that some predictions keep."""

import dataclasses

import numpy as np
import pytest
from refusals import refused
from theory_models import combination, extraction, measured, prediction, truth

import bayescomb as bc
from bayescomb.base.errors import DuplicateNameError, InvalidNumberError, OptionError, RangeError, UnknownNameError

TWO = {"a": "absolute", "b": "normalised"}


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"errors": "symmetric"}, OptionError, ["errors of PDF set 's'", "allowed: none, symmetric_hessian"]),
        ({"alpha_s": (41,)}, OptionError, ["alpha_s members [41] found, two are needed"]),
        ({"alpha_s": (40, 41, 42)}, OptionError, ["two are needed"]),
        ({"confidence_level": 0.5}, RangeError, ["0.5 found, allowed is a number between 0.5 and 1"]),
        ({"confidence_level": 1.0}, RangeError, ["1 found"]),
        ({"confidence_level": np.nan}, RangeError, ["nan found"]),
    ],
)
def test_pdf_that_cannot_be(changes, error, said):
    with refused(error, *said):
        bc.PdfChoice(**({"set": "s"} | changes))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"treatment": "envelope"}, OptionError, ["treatment of scale 'mt'", "allowed: fixed, common, independent, corr"]),
        ({"prior": "flat"}, OptionError, ["prior of scale 'mt'", "allowed: uniform, normal"]),
        ({"mu_r": 0.0}, RangeError, ["factors 0 and 1 found"]),
        ({"mu_f": -1.0}, RangeError, ["factors 1 and -1 found"]),
        ({"mu_r": np.inf}, InvalidNumberError, ["scale 'mt'"]),
        ({"width": 0.0}, RangeError, ["width 0 found", "above 0 to 1"]),
        ({"width": 1.01}, RangeError, ["width 1.01 found", "above 0 to 1"]),
        ({"low": 0.6}, RangeError, ["0.5 in [0.6, 1] found"]),
        ({"low": 0.5, "high": 0.5}, RangeError, ["0.5 in [0.5, 0.5] found"]),
        ({"low": -1.5}, RangeError, ["in [-1.5, 1] found"]),
        ({"high": 1.5}, RangeError, ["in [0, 1.5] found"]),
        ({"treatment": "correlated"}, OptionError, ["'correlated' found with a uniform prior", 'prior = "normal"']),
        (
            {"treatment": "common", "mu_r": 2.0},
            OptionError,
            ["factors other than 1 and sampled scales", "keep one of the two"],
        ),
        ({"treatment": "independent", "mu_f": 0.5}, OptionError, ["keep one of the two"]),
    ],
)
def test_scale_that_cannot_be(changes, error, said):
    with refused(error, *said):
        bc.ScaleChoice(**({"choice": "mt"} | changes))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"name": " x"}, UnknownNameError, ["extraction", "' x' is no name"]),
        ({"distributions": {}}, UnknownNameError, ["predictions of extraction 'mass'", "at least one"]),
        ({"distributions": {"a": "relative"}}, OptionError, ["distribution of 'a' in", "allowed: absolute, normalised"]),
        (
            {"distributions": {"a": "rate", "b": "normalised"}, "drop": ("a1",)},
            OptionError,
            ["extraction 'mass'", "the rate of 'a' and dropped observables found"],
        ),
        ({"masses": {"c": "m"}}, OptionError, ["masses of extraction 'mass'", "'c' found, allowed: a, b"]),
        ({"masses": {"a": ""}}, UnknownNameError, ["masses of extraction 'mass'"]),
        ({"drop": ("x", "x")}, DuplicateNameError, ["dropped observables", "'x' stands twice"]),
        ({"degree": 0}, OptionError, ["degree = 0 found, a whole number of at least 1"]),
        ({"degree": 2.0}, OptionError, ["degree = 2.0 found"]),
        ({"degree": True}, OptionError, ["degree = True found"]),
    ],
)
def test_extraction_that_cannot_be(changes, error, said):
    with refused(error, *said):
        extraction(**({"distributions": TWO} | changes))


def test_masses_and_their_differences():
    one = extraction(TWO)
    assert (dict(one.masses), one.mass_parameters, one.differences) == ({"a": "m_t", "b": "m_t"}, ("m_t",), ())
    two = extraction(TWO, masses={"b": "m_b"})
    assert (two.mass_parameters, two.differences) == (("m_t", "m_b"), (("m_t", "m_b"),))
    three = extraction(TWO | {"c": "absolute"}, masses={"a": "x", "b": "y", "c": "z"})
    assert three.differences == (("x", "y"), ("x", "z"), ("y", "z"))


@pytest.mark.parametrize(
    ("treatment", "prior", "expected"),
    [
        ("fixed", "uniform", ()),
        ("common", "uniform", ("log2_mu_R", "log2_mu_F")),
        ("independent", "normal", ("log2_mu_R a", "log2_mu_R b", "log2_mu_F a", "log2_mu_F b")),
        ("correlated", "normal", ("log2_mu_R a", "log2_mu_R b", "log2_mu_F a", "log2_mu_F b")),
    ],
)
def test_scale_parameters_are_those_of_the_predictions(treatment, prior, expected):
    made = extraction(TWO, treatment=treatment, scales={"prior": prior})
    assert made.scale_parameters == expected
    used = [made.scales_of(name) for name in TWO]
    if treatment == "fixed":
        assert used == [None, None]
    else:
        assert set(expected) == {name for pair in used for name in pair}
        assert all(x.startswith("log2_mu_R") and y.startswith("log2_mu_F") for x, y in used)
        assert treatment == "common" or [x.split()[1] for x, _ in used] == ["a", "b"]


def test_restriction_to_some_predictions():
    made = extraction(TWO, masses={"a": "x", "b": "y"}, degree=3, drop=("a0",))
    only = made.restricted_to(["b", "other"])
    assert (dict(only.distributions), dict(only.masses)) == ({"b": "normalised"}, {"b": "y"})
    assert (only.degree, only.drop, only.pdf, only.name) == (3, ("a0",), made.pdf, "mass")
    assert made.restricted_to(TWO) == made
    assert made.restricted_to(["other"]) is None


def two_inputs(chosen=None, **changes):
    """Predictions a (3 bins) and b (2 bins), each with a measurement, and an input of another observable."""
    tables = [prediction(truth(i, bins=n), name) for i, (name, n) in enumerate([("a", 3), ("b", 2)])]
    inputs = [
        measured(t.name.upper(), t.observables, t.cross_sections[0, 3] / t.divisors, np.eye(len(t.observables)))
        for t in tables
    ]
    other = measured("Z", ["z"], [3.0], np.eye(1))
    return dataclasses.replace(combination([*inputs, other], tables, chosen, extra=["z"]), **changes)


def test_results_put_masses_first():
    made = two_inputs(extraction(TWO, masses={"b": "m_b"}, treatment="common"))
    assert [o.name for o in made.observables] == ["a0", "a1", "a2", "b0", "b1"]
    head = ["m_t", "m_b", "m_t - m_b"]
    assert [o.name for o in made.headline] == head
    assert [o.name for o in made.results] == [*head, "log2_mu_R", "log2_mu_F", *(o.name for o in made.observables)]
    assert [o.unit for o in made.headline] == ["GeV"] * 3
    plain = two_inputs()
    assert plain.results == plain.headline == plain.observables
    assert plain.extraction_in_force is None


def test_measurements_of_nothing_predicted_are_cut():
    plain = two_inputs()
    assert [m.name for m in plain.measurements] == ["A", "B", "Z"]
    chosen = extraction({"b": "normalised"}, drop=("b1",))
    cut = plain.with_extraction(chosen)
    assert [m.name for m in cut.measurements] == ["B"]
    assert [o.name for o in cut.observables] == ["b0", "b1"]
    assert [p.name for p in cut.predictions] == ["b"]
    assert cut.extraction_in_force == chosen
    assert cut.with_extraction("").measurements == cut.measurements


def test_extractions_follow_when_measurements_go():
    chosen = {name: extraction(parts, name=name) for name, parts in [("both", TWO), ("first", {"a": "absolute"})]}
    chosen["both"] = dataclasses.replace(chosen["both"], drop=("a0", "b1"))
    plain = two_inputs(extractions=chosen)
    only = plain.with_extraction("both").only(["B"])
    assert (list(only.extractions), only.extraction) == (["both"], "both")
    assert dict(only.extractions["both"].distributions) == {"b": "normalised"}
    assert only.extractions["both"].drop == ("b1",)
    assert list(plain.without("B").extractions) == ["both", "first"]
    bare = plain.with_extraction("both").saturated()
    assert (bare.predictions, dict(bare.extractions), bare.extraction) == ((), {}, "")


def test_extraction_is_known_by_name():
    plain = two_inputs(extractions={"mass": extraction(TWO)})
    assert plain.extraction == ""
    assert plain.with_extraction("mass").extraction == "mass"
    with refused(UnknownNameError, "unknown extraction 'mas'", "did you mean 'mass'"):
        plain.with_extraction("mas")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"distributions": {"c": "absolute"}}, UnknownNameError, ["extraction 'mass'", "unknown prediction 'c'"]),
        ({"drop": ("a7",)}, UnknownNameError, ["extraction 'mass'", "unknown observable 'a7'"]),
        (
            {"masses": {"a": "b1"}},
            DuplicateNameError,
            ["extraction 'mass'", "'b1' is the name of an observable and"],
        ),
    ],
)
def test_names_of_an_extraction_belong_to_the_combination(changes, error, said):
    with refused(error, *said):
        two_inputs().with_extraction(extraction(**({"distributions": TWO} | changes)))


def test_two_predictions_of_the_same_observables_are_not_used_at_once():
    plain = two_inputs()
    again = dataclasses.replace(plain.predictions[0], name="a running", mass_scheme="running")
    more = dataclasses.replace(plain, predictions=(*plain.predictions, again))
    title = more.with_extraction(extraction({"a running": "absolute"})).headline[0].title
    assert title == "top-quark running mass"
    assert more.with_extraction(extraction({"a": "absolute"})).headline[0].title == "top-quark pole mass"
    with refused(DuplicateNameError, "predicted observables of", "extraction 'mass'", "'a0' stands twice"):
        more.with_extraction(extraction({"a": "absolute", "a running": "absolute"}))


@pytest.mark.parametrize("change", ["pearson", "relative", "normalise"])
def test_extraction_needs_a_quadratic_chi2(change):
    plain = two_inputs(extractions={"mass": extraction(TWO)})
    if change == "relative":
        first = plain.measurements[0]
        nuisance = bc.Nuisance(name="n", response="relative")
        first = dataclasses.replace(first, nuisances=(nuisance,), responses=np.ones((3, 1)))
        plain = dataclasses.replace(plain, measurements=(first, *plain.measurements[1:]))
    else:
        plain = plain.with_chi2("pearson") if change == "pearson" else dataclasses.replace(plain, normalise=True)
    with refused(OptionError, "extraction 'mass' needs a chi2 that is quadratic", "'neyman'"):
        plain.with_extraction("mass")


@pytest.mark.parametrize("name", ["set 1", "numerical a0"])
def test_theory_nuisances_share_the_names_of_all_others(name):
    plain = two_inputs()
    first = dataclasses.replace(plain.measurements[0], nuisances=(bc.Nuisance(name=name),), responses=np.ones((3, 1)))
    plain = dataclasses.replace(plain, measurements=(first, *plain.measurements[1:]))
    with refused(DuplicateNameError, f"{name!r} is the name of a nuisance and of a nuisance of the theory"):
        bc.profile(plain.with_extraction(extraction(TWO, errors="symmetric_hessian", numerical_errors=True)))


def test_pole_and_running_mass_are_not_one_parameter():
    plain = two_inputs()
    running = dataclasses.replace(plain.predictions[1], mass_scheme="running")
    mixed = dataclasses.replace(plain, predictions=(plain.predictions[0], running))
    mixed.with_extraction(extraction(TWO, masses={"b": "m_running"}))
    with refused(OptionError, "extraction 'mass'", "pole", "running"):
        mixed.with_extraction(extraction(TWO))


def test_tables_without_a_common_mass_are_named():
    plain = two_inputs()
    lower = dataclasses.replace(plain.predictions[1], masses=plain.predictions[1].masses - 30)
    apart = dataclasses.replace(plain, predictions=(plain.predictions[0], lower))
    with pytest.raises(bc.BayescombError, match=r"165 to 180.*135 to 150"):
        bc.profile(apart.with_extraction(extraction(TWO)))
