"""Inputs are checked when they are built, from a file or in code."""

import dataclasses

import numpy as np
import pytest
from combinations import star
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnderdeterminedError,
    UnknownNameError,
)


def estimate(**changes):
    return bc.Estimate(**({"name": "e", "value": 1.0, "observables": {"x": 1.0}} | changes))


def measurement(**changes):
    """One estimate with statistical error 0.5 and one nuisance."""
    given = {
        "name": "m",
        "experiment": "ATLAS",
        "estimates": (estimate(),),
        "statistical_covariance": [[0.25]],
        "nuisances": (bc.Nuisance(name="jes"),),
        "responses": [[0.3]],
    }
    return bc.Measurement(**(given | changes))


def fit(**changes):
    given = {"nuisances": (bc.Nuisance(name="jes"),), "information": np.diag([4.0, 2.0]), "pulls": [0.1]}
    return bc.FittedInput(**(given | changes))


def combination(*measurements, **changes):
    given = {
        "name": "c",
        "measurements": measurements or (measurement(),),
        "observables": (bc.Observable(name="x"),),
        "assumption_sets": {"none": bc.AssumptionSet(name="none")},
        "assumptions": "none",
    }
    return bc.Combination(**(given | changes))


@pytest.mark.parametrize("value", [np.nan, np.inf, "172.5", None])
def test_measured_value_is_a_finite_number(value):
    with refused(InvalidNumberError, "estimate 'e'", "finite number"):
        estimate(value=value)


@pytest.mark.parametrize("observables", [{}, {"x": 0.0}])
def test_estimate_belongs_to_an_observable(observables):
    with refused(InvalidNumberError, "estimate 'e'", "no observable", "at least one non-zero coefficient"):
        estimate(observables=observables)


def test_kind_of_provenance_is_one_of_three():
    with refused(OptionError, "provenance of budget", "'guessed' found", "published, reconstructed, assumed"):
        bc.Provenance(table="budget", kind="guessed", origin="nowhere")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"information": np.diag([4.0, 0.0])}, InvalidMatrixError, ["information of the fitted input", "not positive"]),
        ({"information": [[4.0, 1.0], [0.5, 2.0]]}, InvalidMatrixError, ["not symmetric", "is 1", "is 0.5"]),
        ({"information": np.diag([4.0, np.nan])}, InvalidNumberError, ["information", "(1, 1)"]),
        ({"pulls": [0.1, 0.2]}, InvalidMatrixError, ["pulls", "shape (2,) found, (1,) needed"]),
        ({"pulls": [np.nan]}, InvalidNumberError, ["pulls", "nan found"]),
    ],
)
def test_wrong_fitted_input(changes, error, said):
    with refused(error, *said):
        fit(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"responses": [[np.nan]]}, InvalidNumberError, ["responses of measurement 'm'", "nan"]),
        ({"responses": [[0.3, 0.4]]}, InvalidMatrixError, ["responses", "shape (1, 2) found, (1, 1) needed"]),
        ({"statistical_covariance": [[0.0]]}, InvalidMatrixError, ["statistical covariance of measurement 'm'", "above 0"]),
        ({"statistical_covariance": [[-1.0]]}, InvalidMatrixError, ["statistical covariance", "not positive definite"]),
        ({"statistical_covariance": np.eye(2)}, InvalidMatrixError, ["statistical covariance", "(1, 1) needed"]),
        ({"statistical_covariance": None}, UnderdeterminedError, ["measurement 'm'", "not both and not neither"]),
        ({"fit": fit()}, UnderdeterminedError, ["measurement 'm'", "not both and not neither"]),
        ({"estimates": (estimate(), estimate())}, DuplicateNameError, ["estimates of measurement 'm'", "'e' stands twice"]),
        ({"estimates": ()}, UnknownNameError, ["estimates of measurement 'm'", "none given"]),
    ],
)
def test_wrong_measurement(changes, error, said):
    with refused(error, *said):
        measurement(**changes)


def test_information_of_a_fit_has_a_row_per_estimate_and_nuisance():
    with refused(InvalidMatrixError, "information of measurement 'm'", "shape (3, 3) found, (2, 2) needed"):
        measurement(statistical_covariance=None, fit=fit(information=np.eye(3)), nuisances=(), responses=[[]])


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"treatment": "both"}, OptionError, ["treatment of combination 'c'", "'both'", "covariance, nuisance"]),
        ({"repair": "near"}, OptionError, ["repair of combination 'c'", "'near'", "none, shift, clip, nearest"]),
        ({"assumptions": "nine"}, UnknownNameError, ["assumption set 'nine'", "did you mean 'none'?"]),
        ({"measurements": ()}, UnknownNameError, ["measurements of combination 'c'", "none given"]),
        ({"observables": (bc.Observable(name="y"),)}, UnknownNameError, ["estimate 'e'", "observable 'x'", "known: 'y'"]),
        ({"observables": (bc.Observable(name="x"),) * 2}, DuplicateNameError, ["'x' stands twice"]),
        ({"sources": (bc.Source(name="s"),) * 2}, DuplicateNameError, ["sources of combination 'c'", "'s' stands twice"]),
        (
            {"observables": (bc.Observable(name="x"), bc.Observable(name="y"))},
            UnderdeterminedError,
            ["1 estimates do not determine the 2 observables", "no estimate for ['y']", "drop an observable"],
        ),
    ],
)
def test_wrong_combination(changes, error, said):
    with refused(error, *said):
        combination(**changes)


@pytest.mark.parametrize("other", [{"name": "m"}, {"name": "n", "estimates": (estimate(name="jes"),)}])
def test_names_are_unique_across_measurements(other):
    with refused(DuplicateNameError, "combination 'c'", "stands twice"):
        combination(measurement(), measurement(**({"estimates": (estimate(name="f"),)} | other)))


def test_observables_that_only_a_sum_determines():
    both = measurement(estimates=(estimate(observables={"x": 1.0, "y": 1.0}),))
    with refused(UnderdeterminedError, "1 estimates do not determine the 2 observables", "add an estimate"):
        combination(both, observables=(bc.Observable(name="x"), bc.Observable(name="y")))


def pair_of(first, second):
    pairs = (bc.CorrelationPair(first=first, second=second),)
    coefficient = bc.CorrelationCoefficient(name="r", pairs=pairs, nominal=0.2)
    return {"set": bc.AssumptionSet(name="set", coefficients=(coefficient,))}


def test_correlation_of_an_unknown_nuisance():
    with refused(UnknownNameError, "assumption set 'set'", "coefficient 'r'", "'jse'", "did you mean 'jes'?"):
        combination(assumption_sets=pair_of("jes", "jse"), assumptions="set")


def test_every_set_is_checked_not_only_the_one_in_force():
    with refused(UnknownNameError, "assumption set 'set'", "'jse'"):
        combination(assumption_sets={"none": bc.AssumptionSet(name="none")} | pair_of("jes", "jse"))


def test_free_nuisance_has_no_prior_to_correlate():
    nuisances = (bc.Nuisance(name="norm", free=True), bc.Nuisance(name="jes"))
    fitted = fit(nuisances=nuisances, information=np.diag([4.0, 2.0, 2.0]), pulls=[0.0, 0.0])
    free = measurement(statistical_covariance=None, nuisances=(), responses=[[]], fit=fitted)
    with refused(UnderdeterminedError, "nuisance 'norm' is free", "remove the pair"):
        combination(free, assumption_sets=pair_of("norm", "jes"), assumptions="set")


def test_correlation_of_a_pair_stated_by_a_coefficient_and_a_block():
    whole = star(2)
    block = bc.CorrelationBlock(name="b", nuisances=("n1", "n0"), correlation=[[1, 0.3], [0.3, 1]])
    stated_twice = dataclasses.replace(whole.assumption_set, blocks=(block,))
    with refused(DuplicateNameError, "block 'b'", "already stated by coefficient 'r0'", "keep one"):
        dataclasses.replace(whole, assumption_sets={"default": stated_twice})


def test_inputs_are_frozen(run1):
    with pytest.raises(dataclasses.FrozenInstanceError):
        run1.treatment = "nuisance"
    with pytest.raises(ValueError, match="read-only"):
        run1.measurements[0].responses[0, 0] = 1.0


def test_only_one_experiment_keeps_its_measurements_and_correlations(run1):
    atlas = run1.only(["ATLAS"])
    assert [e.name for e in atlas.estimates] == list("abcdef")
    assert atlas.assumption_set.coefficients == ()
    assert {b.name.split(", ")[1] for b in atlas.assumption_set.blocks} == {"ATLAS"}


def test_only_no_experiment_is_refused(run1):
    with refused(UnknownNameError, "measurements of combination 'run1_mass'", "none given"):
        run1.only([])
