"""Measurement.from_fit: the one door by which a fit of any program becomes an input."""

import numpy as np
import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    UnderdeterminedError,
    UnknownNameError,
)

NAMES = ["sigma", "jes", "lumi", "norm"]
VALUES = np.array([832.0, 0.4, 1.01, 3.0])
SIZES = np.array([30.0, 0.8, 0.019, 0.4])
RHO = np.array([[1.0, 0.5, -0.4, 0.1], [0.5, 1.0, 0.2, 0.0], [-0.4, 0.2, 1.0, 0.3], [0.1, 0.0, 0.3, 1.0]])
COVARIANCE = RHO * np.outer(SIZES, SIZES)
GIVEN = {
    "values": VALUES,
    "covariance": COVARIANCE,
    "parameters": NAMES,
    "results": ["sigma"],
    "free": ["norm"],
    "priors": {"lumi": (1.0, 0.02)},
}


def from_fit(**changes):
    return bc.Measurement.from_fit("tt", "CMS", **{**GIVEN, **changes})


def combined(measurement, **settings):
    return bc.profile(bc.combine([measurement], **settings))


def test_a_fit_in_units_of_the_priors():
    found = from_fit()
    assert [(n.name, n.free) for n in found.all_nuisances] == [("jes", False), ("lumi", False), ("norm", True)]
    # lambda = (theta - 1) / 0.02: (1.01 - 1) / 0.02 = 0.5, and its constraint is 0.019 / 0.02.
    np.testing.assert_allclose(found.fit.pulls, [0.4, 0.5, 3.0], rtol=1e-12)
    scaled = RHO * np.outer([30.0, 0.8, 0.95, 0.4], [30.0, 0.8, 0.95, 0.4])
    np.testing.assert_allclose(np.linalg.inv(found.fit.information), scaled, rtol=1e-12, atol=1e-12)


def test_one_fit_gives_itself_back():
    """The prior is taken off once and put back once, whatever it is of; pulls and constraints return with the value."""
    fit = combined(from_fit())
    np.testing.assert_allclose([fit.values[0], fit.errors[0]], [832.0, 30.0], rtol=1e-10)
    np.testing.assert_allclose(fit.pulls, [0.4, 0.5], rtol=1e-10)
    np.testing.assert_allclose(fit.constraints, [0.8, 0.95], rtol=1e-10)
    np.testing.assert_allclose([fit.values[1], fit.errors[1]], [3.0, 0.4], rtol=1e-10)


def test_a_constraint_above_one_is_kept():
    covariance = COVARIANCE * np.outer([1, 1.3125, 1, 1], [1, 1.3125, 1, 1])  # 1.05 for jes
    combination = bc.combine([from_fit(covariance=covariance)])
    assert bc.check(combination).widened[0].constraints == pytest.approx({"jes": 1.05})
    assert float(bc.profile(combination).constraints[0]) == pytest.approx(1.05)


def test_order_and_names_do_not_matter():
    order = [2, 0, 3, 1]
    mixed = from_fit(
        values=dict(zip(NAMES, VALUES, strict=True)),
        covariance=COVARIANCE[np.ix_(order, order)],
        parameters=[NAMES[i] for i in order],
    )
    one, other = combined(from_fit()), combined(mixed)
    assert float(one.values[0]) == pytest.approx(float(other.values[0]), rel=1e-12)
    assert one.pulls.to_series().to_dict() == pytest.approx(other.pulls.to_series().to_dict())


@pytest.mark.parametrize("pulls", [[0.4, 0.5, 3.0], {"norm": 3.0, "jes": 0.4, "lumi": 0.5}], ids=["list", "by name"])
def test_values_of_the_results_and_pulls(pulls):
    np.testing.assert_array_equal(from_fit(values=[832.0], pulls=pulls).fit.pulls, [0.4, 0.5, 3.0])


def test_what_is_left_out_stays_in_the_covariance():
    """The conditional of the others follows from the marginal covariance: one nuisance of 2 shared, against all kept."""
    rest = from_fit(left_out=["n*", "lumi"], priors={}, free=[])
    np.testing.assert_allclose(np.linalg.inv(rest.fit.information), COVARIANCE[:2, :2], rtol=1e-12)
    other = bc.Measurement.from_fit(
        "other",
        values=[800.0, -0.3],
        covariance=[[400.0, -5.0], [-5.0, 0.5]],
        parameters=["sigma", "jes"],
        results=["sigma"],
    )
    few, all_kept = (bc.profile(bc.combine([m, other], shared_names="same")) for m in (rest, from_fit()))
    np.testing.assert_allclose(
        [few.values[0], few.errors[0]], [all_kept.values.sel(parameter="sigma"), all_kept.errors.sel(parameter="sigma")]
    )


def test_results_name_their_observables():
    several = from_fit(results={"sigma": "ttbar", "norm": {"a": 1.0, "b": 2.0}}, free=[])
    assert [(e.name, dict(e.observables)) for e in several.estimates] == [
        ("tt, sigma", {"ttbar": 1.0}),
        ("tt, norm", {"a": 1.0, "b": 2.0}),
    ]


def test_two_fits_against_the_sum_of_their_chi2():
    """By hand: minimise sum_k (z - z_k)^T H_k (z - z_k) - lambda^2, two priors inside and one too many, plus nothing."""
    first = {"values": [99.0, 0.3], "covariance": [[4.0, 1.0], [1.0, 0.9]]}
    second = {"values": [101.0, -0.4], "covariance": [[9.0, -0.5], [-0.5, 0.7]]}
    fits = [
        bc.Measurement.from_fit(name, parameters=["x", "jes"], results=["x"], **given)
        for name, given in (("a", first), ("b", second))
    ]
    fit = bc.profile(bc.combine(fits, shared_names="same"))
    inverses = [np.linalg.inv(given["covariance"]) for given in (first, second)]
    # Two fits hold two priors of the one nuisance, the combination one.
    information = sum(inverses) - np.diag([0.0, 1.0])
    right = sum(inverse @ given["values"] for inverse, given in zip(inverses, (first, second), strict=True))
    best, covariance = np.linalg.solve(information, right), np.linalg.inv(information)
    np.testing.assert_allclose([fit.values[0], fit.pulls[0]], best, rtol=1e-10)
    np.testing.assert_allclose([fit.errors[0], fit.constraints[0]], np.sqrt(np.diag(covariance)), rtol=1e-10)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"results": []}, UnknownNameError, ["results of fit 'tt'", "none given"]),
        ({"results": ["sigm"]}, UnknownNameError, ["did you mean 'sigma'?"]),
        ({"results": ["norm"]}, DuplicateNameError, ["'norm' is the name of a result and of a free parameter"]),
        ({"free": ["sigma"]}, DuplicateNameError, ["'sigma'"]),
        ({"free": ["nrom"]}, UnknownNameError, ["free of fit 'tt'", "did you mean 'norm'?"]),
        ({"left_out": ["gamma*"]}, UnknownNameError, ["left_out of fit 'tt'", "gamma*"]),
        ({"priors": {"sigma": (0.0, 1.0)}}, DuplicateNameError, ["'sigma'", "prior"]),
        ({"priors": {"lumi": (1.0, 0.0)}}, InvalidNumberError, ["prior of 'lumi'", "above 0"]),
        ({"priors": {"lum": (1.0, 0.1)}}, UnknownNameError, ["did you mean 'lumi'?"]),
        ({"values": VALUES[:3]}, UnderdeterminedError, ["none for 'norm'"]),
        ({"values": [832.0]}, UnderdeterminedError, ["'jes', 'lumi', 'norm'", "'pulls'"]),
        ({"values": [832.0, 0.0, np.nan, 0.0]}, InvalidNumberError, ["position (2,)"]),
        ({"pulls": [0.1]}, InvalidMatrixError, ["shape (1,) found, (3,) needed"]),
        ({"pulls": {"jes": 0.1, "lumi": 0.0}}, UnknownNameError, ["none for 'norm'"]),
        ({"pulls": {"jes": 0, "lumi": 0, "norm": 0, "x": 1}}, UnknownNameError, ["nuisance 'x'"]),
        ({"covariance": COVARIANCE[:3]}, InvalidMatrixError, ["shape (3, 4) found"]),
        ({"covariance": COVARIANCE + np.triu(COVARIANCE, 1)}, InvalidMatrixError, ["not symmetric"]),
        ({"covariance": COVARIANCE * [1, 0, 1, 1]}, InvalidMatrixError, ["not symmetric"]),
        (
            {"covariance": COVARIANCE * np.outer([1, 0, 1, 1], [1, 0, 1, 1])},
            InvalidMatrixError,
            ["'jes' is not above 0", "held fixed", "left_out"],
        ),
        ({"parameters": ["sigma", "jes", "jes", "norm"]}, DuplicateNameError, ["'jes' stands twice"]),
        ({"parameters": "abcd"}, UnknownNameError, ["a list of names"]),
    ],
)
def test_bad_input_is_refused(changes, error, said):
    with refused(error, "fit 'tt'", *said):
        from_fit(**changes)


def test_a_singular_covariance_names_its_parameters():
    rho = RHO.copy()
    rho[1] = rho[2]
    rho[:, 1] = rho[:, 2]
    rho[1, 1] = rho[1, 2] = rho[2, 1] = 1.0
    with refused(InvalidMatrixError, "'jes', 'lumi'", "left_out"):
        from_fit(covariance=rho * np.outer(SIZES, SIZES))


def test_a_free_parameter_that_is_taken_for_a_nuisance_is_noticed():
    with pytest.warns(bc.InputWarning, match=r"'mass' \(91.2 \+- 0.1\).*'free'"):
        bc.Measurement.from_fit(
            "Z", values=[1.0, 91.2], covariance=[[0.1, 0.0], [0.0, 0.01]], parameters=["mu", "mass"], results=["mu"]
        )


def test_a_prior_that_is_taken_off_and_put_back_changes_nothing():
    """So that an unshared parameter may be called free or not: its own numbers and those of the result are the same."""
    one, other = (combined(from_fit(free=free)) for free in (["norm"], []))
    assert float(one.values.sel(parameter="sigma")) == pytest.approx(float(other.values.sel(parameter="sigma")), rel=1e-12)
    assert float(one.errors.sel(parameter="sigma")) == pytest.approx(float(other.errors.sel(parameter="sigma")), rel=1e-12)
