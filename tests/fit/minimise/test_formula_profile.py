"""Profiles of observables that are formulas: against a dense minimisation, linear maps, and priors in closed form."""

import dataclasses

import numpy as np
import pytest
from formula_models import DERIVED, formula_model
from iminuit import Minuit
from refusals import refused
from repetitions import repetitions
from scipy.optimize import minimize

import bayescomb as bc
from bayescomb.base.errors import FitError, OptionError
from bayescomb.inputs.serialise import combination_from_json, combination_to_json

# Migrad ends within its tolerance in chi2, so that values are good to its root, in units of the errors.
TOLERANCE = 1e-7


def minimum(chi2, start):
    minuit = Minuit(chi2, *start)
    minuit.errordef, minuit.tol, minuit.strategy = 1, TOLERANCE, 2
    minuit.migrad()
    minuit.minos()
    assert minuit.valid
    return minuit


@pytest.mark.parametrize("seed", range(repetitions(3)))
def test_the_profile_is_that_of_an_independent_minimiser(seed):
    model = formula_model(seed)
    fit = bc.profile(model.combination)
    a, b = (float(fit.values.sel(parameter=name)) for name in "ab")
    other = minimum(model.chi2, (a, b))
    assert fit.chi2 == pytest.approx(other.fval, rel=1e-6, abs=1e-6)
    for name, value, error in zip("ab", other.values, other.merrors.values(), strict=True):
        at = {"parameter": name}
        size = float(fit.errors.sel(at))
        assert float(fit.values.sel(at)) == pytest.approx(value, abs=1e-3 * size)
        assert float(fit.up_errors.sel(at)) == pytest.approx(error.upper, abs=2e-3 * size)
        assert float(fit.down_errors.sel(at)) == pytest.approx(error.lower, abs=2e-3 * size)
    # of a function, the end of its interval is where chi2 at that value of it has grown by 1 above its minimum
    function, at = DERIVED[1], {"parameter": "share"}
    assert float(fit.values.sel(at)) == pytest.approx(function(a, b), rel=1e-12)
    for distance in (fit.up_errors, fit.down_errors):
        end = float(fit.values.sel(at) + distance.sel(at))
        held = {"type": "eq", "fun": lambda p, end=end: (function(*p) - end) * 1e3}
        found = minimize(lambda p: model.chi2(*p), (a, b), constraints=[held], method="SLSQP", options={"ftol": 1e-13})
        assert found.fun - fit.chi2 == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("seed", range(repetitions(1)))
def test_errors_are_the_inverse_information_of_the_tangent(seed):
    model = formula_model(100 + seed)
    fit = bc.profile(model.combination)
    a, b = (float(fit.values.sel(parameter=name)) for name in "ab")
    step = 1e-6
    slopes = np.column_stack(
        [
            (np.array(model.predicted(a + da, b + db)) - np.array(model.predicted(a - da, b - db))) / (2 * step)
            for da, db in ((step, 0), (0, step))
        ]
    )
    covariance = np.linalg.inv(slopes.T @ np.linalg.solve(model.covariance(model.coefficient), slopes))
    names = ["a", "b"]
    np.testing.assert_allclose(fit.covariance.sel(parameter=names, parameter_b=names), covariance, rtol=1e-6)
    jacobian = np.array([b, -a]) / (a + b) ** 2
    across = fit.covariance.sel(parameter="share", parameter_b=names)
    np.testing.assert_allclose(across, jacobian @ covariance, rtol=1e-5, atol=1e-9)
    assert float(fit.errors.sel(parameter="share")) ** 2 == pytest.approx(jacobian @ covariance @ jacobian, rel=1e-5)
    # the parts add up, of parameters, observables and derived quantities alike
    total = fit.statistical_errors**2 + fit.systematic_errors**2
    np.testing.assert_allclose(total, fit.errors**2, rtol=1e-6)


def three(values=(0.70, 0.31, 0.003), *, formulas=True):
    """Fractions F_0, F_L and F_R = 1 - F_0 - F_L, or the same as linear maps by hand."""
    mapped = {"F_R": 1.0} if formulas else {"F_0": -1.0, "F_L": -1.0}
    maps = [{"F_0": 1.0}, {"F_L": 1.0}, mapped]
    values = values if formulas else (*values[:2], values[2] - 1.0)
    shifts = [[0.02, 0.01], [-0.01, 0.005], [0.004, -0.006]]
    covariance = np.array([[4.0, -1.0, 0.1], [-1.0, 2.0, 0.2], [0.1, 0.2, 1.0]]) * 1e-4
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(
            bc.Estimate(name=f"e{i}", value=v, observables=m) for i, (v, m) in enumerate(zip(values, maps, strict=True))
        ),
        statistical_covariance=covariance,
        nuisances=(bc.Nuisance(name="n0"), bc.Nuisance(name="n1")),
        responses=shifts,
    )
    more = (bc.Observable(name="F_R", formula="1 - F_0 - F_L"),) if formulas else ()
    return bc.Combination(
        name="fractions",
        measurements=(measurement,),
        observables=(bc.Observable(name="F_0"), bc.Observable(name="F_L"), *more),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )


def test_a_linear_formula_is_a_linear_map_to_the_last_bit():
    written, mapped = bc.profile(three()), bc.profile(three(formulas=False))
    names = ["F_0", "F_L"]
    for key in ("values", "errors", "up_errors", "down_errors", "statistical_errors", "systematic_errors"):
        np.testing.assert_array_equal(getattr(written, key).sel(parameter=names), getattr(mapped, key).sel(parameter=names))
    np.testing.assert_array_equal(written.covariance.sel(parameter=names, parameter_b=names), mapped.covariance)
    np.testing.assert_array_equal(written.pulls, mapped.pulls)
    assert written.chi2 == mapped.chi2
    # and what follows from it is exact
    assert float(written.values.sum()) == pytest.approx(1.0, abs=1e-14)
    variance = float(mapped.covariance.sum())
    assert float(written.errors.sel(parameter="F_R")) == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert float(written.up_errors.sel(parameter="F_R")) == float(written.errors.sel(parameter="F_R"))


def direct(value, error, name="x"):
    estimate = bc.Estimate(name=f"measured {name}", value=value, observables={name: 1.0})
    return bc.Measurement(name=f"of {name}", estimates=(estimate,), statistical_covariance=[[error**2]])


def combine(measurements, parameters, **fields):
    return bc.Combination(
        name="c",
        measurements=tuple(measurements),
        parameters=tuple(parameters),
        observables=fields.pop("observables", ()),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
        **fields,
    )


def test_a_normal_prior_is_an_input():
    prior = bc.ParameterPrior(shape="normal", mean=3.0, sd=0.5)
    fit = bc.profile(combine([direct(2.0, 1.0)], [bc.Parameter(name="x", prior=prior)]))
    # weights 1 and 4 of 2 and 3
    assert fit.values.item() == pytest.approx(2.8, rel=1e-12)
    assert fit.errors.item() == pytest.approx(np.sqrt(0.2), rel=1e-12)
    assert (fit.ndf, fit.chi2) == (1, pytest.approx(0.8))
    # variance (1/5)^2 1 by the data, (4/5)^2 / 4 by the prior
    assert fit.error_parts("x") == pytest.approx({"stat": 0.2, "syst": 0.0, "priors of parameters": 0.4})


def test_a_lognormal_prior_is_an_input_of_the_logarithm():
    prior = bc.ParameterPrior(shape="lognormal", median=1.0, sigma=0.1)
    fit = bc.profile(combine([direct(1.3, 0.2)], [bc.Parameter(name="x", prior=prior)]))
    other = minimum(lambda x: ((x - 1.3) / 0.2) ** 2 + (np.log(x) / 0.1) ** 2, (1.0,))
    assert fit.values.item() == pytest.approx(other.values[0], rel=1e-6)
    assert fit.up_errors.item() == pytest.approx(other.merrors[0].upper, rel=1e-3)
    assert fit.down_errors.item() == pytest.approx(other.merrors[0].lower, rel=1e-3)


@pytest.mark.parametrize(("value", "at_bound"), [(0.5, False), (-0.7, True)])
def test_a_half_normal_prior_keeps_above_zero(value, at_bound):
    prior = bc.ParameterPrior(shape="half_normal", sd=2.0)
    fit = bc.profile(combine([direct(value, 1.0)], [bc.Parameter(name="x", prior=prior)]))
    best = max(value / 1.25, 0.0)  # weights 1 and 1/4
    assert fit.values.item() == pytest.approx(best, abs=1e-9)
    assert (fit.at_bound == ("x",)) is at_bound

    def chi2(x):
        return (x - value) ** 2 + x**2 / 4

    end = best + fit.up_errors.item()
    assert chi2(end) - chi2(best) == pytest.approx(1.0, rel=1e-6)
    low = best + fit.down_errors.item()
    assert low == pytest.approx(0.0, abs=1e-12) or chi2(low) - chi2(best) == pytest.approx(1.0, rel=1e-6)


def test_a_range_ends_the_interval_and_a_minimum_at_its_end_is_refused():
    prior = bc.ParameterPrior(shape="uniform", low=1.0, high=5.0)
    parameters = [bc.Parameter(name="x", prior=prior)]
    fit = bc.profile(combine([direct(4.2, 1.0)], parameters))
    assert fit.values.item() == pytest.approx(4.2, rel=1e-9)
    assert fit.up_errors.item() == pytest.approx(0.8, rel=1e-9)
    assert fit.down_errors.item() == pytest.approx(-1.0, rel=1e-6)
    with refused(FitError, "'x' runs to the end of its range, 1 to 5", "widen"):
        bc.profile(combine([direct(5.2, 1.0)], parameters))


def test_the_interval_of_a_function_ends_where_a_bound_lets_it():
    """Of x >= 0 with x = 0.5 +- 1 the square lies between 0 and 1.5^2 where chi2 grows by 1 at most."""
    given = combine(
        [direct(0.5, 1.0)],
        [],
        observables=(bc.Observable(name="x"),),
        derived=(bc.Observable(name="y", formula="(1 + x)**2"),),
        nonnegative=("x",),
    )
    fit = bc.profile(given)
    at = {"parameter": "y"}
    assert float(fit.values.sel(at) + fit.up_errors.sel(at)) == pytest.approx(2.5**2, rel=1e-6)
    assert float(fit.values.sel(at) + fit.down_errors.sel(at)) == pytest.approx(1.0, rel=1e-6)


def test_a_minimum_of_its_own_for_each_sign_is_told():
    """Only the square of x is measured."""
    given = combine(
        [direct(4.0, 0.4, "y")], [bc.Parameter(name="x")], observables=(bc.Observable(name="y", formula="x**2"),)
    )
    fit = bc.profile(given)
    assert float(fit.values.sel(parameter="x")) == pytest.approx(2.0, rel=1e-9)
    assert fit.other_minima is not None
    np.testing.assert_allclose(fit.other_minima.sel(parameter="x"), [-2.0], rtol=1e-9)
    np.testing.assert_allclose(fit.other_minima.sel(parameter="y"), [4.0], rtol=1e-9)
    np.testing.assert_allclose(fit.other_minima["delta_chi2"], [0.0], atol=1e-9)


def test_the_covariance_treatment_takes_formulas_too():
    """Two sources whose matrix is indefinite: only the total counts, and chi2 is that of the total."""
    shifts = np.diag([0.3, 0.2, 0.25])
    matrix = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert np.linalg.eigvalsh(matrix)[0] < 0
    values, statistical = np.array([0.52, 2.1, 3.9]), np.diag([0.2, 0.3, 0.5]) ** 2
    measurement = bc.Measurement(
        name="m",
        estimates=tuple(
            bc.Estimate(name=f"e{i}", value=v, observables={o: 1.0})
            for i, (v, o) in enumerate(zip(values, ("y", "x", "z"), strict=True))
        ),
        statistical_covariance=statistical,
        nuisances=tuple(bc.Nuisance(name=f"n{i}", source="s") for i in range(3)),
        responses=shifts,
    )
    block = bc.CorrelationBlock(name="s", nuisances=("n0", "n1", "n2"), correlation=matrix)
    given = bc.Combination(
        name="c",
        measurements=(measurement,),
        parameters=(bc.Parameter(name="x"),),
        observables=(bc.Observable(name="y", formula="1 / x"), bc.Observable(name="z", formula="x**2")),
        sources=(bc.Source(name="s"),),
        assumption_sets={"set": bc.AssumptionSet(name="set", blocks=(block,))},
        assumptions="set",
        treatment="covariance",
    )
    total = statistical + shifts @ matrix @ shifts

    def chi2(x):
        away = values - np.array([1 / x, x, x * x])
        return float(away @ np.linalg.solve(total, away))

    fit, other = bc.profile(given), minimum(chi2, (2.0,))
    at = {"parameter": "x"}
    assert fit.chi2 == pytest.approx(other.fval, rel=1e-6)
    assert float(fit.values.sel(at)) == pytest.approx(other.values[0], rel=1e-5)
    assert float(fit.up_errors.sel(at)) == pytest.approx(other.merrors[0].upper, rel=1e-4)


def test_studies_know_parameters_and_functions():
    model = formula_model(7)
    combination = model.combination
    names = ["a", "b", "f0", "f1", "f2", "share"]
    assert [o.name for o in combination.results] == names
    found = bc.impacts(combination)
    assert list(found.total["parameter"].to_numpy()) == names
    total = found.statistics**2 + found.systematics**2
    np.testing.assert_allclose(total, found.total**2, rtol=1e-6)
    (row,) = bc.scan(combination).rows
    fits = [bc.profile(combination, coefficients={"s": r}) for r in (0.0, 0.9)]
    change = (fits[1].values - fits[0].values).sel(parameter=names) / 2
    np.testing.assert_allclose(row.half_shift.sel(parameter=names), change, rtol=1e-5, atol=1e-8)
    rows = bc.compatibility(combination)
    assert {r.name for r in rows} == {"m0", "m1"}
    with refused(OptionError, "cannot be explored", "formulas"):
        bc.explore(combination, "never.html")
    copied = combination_from_json(combination_to_json(combination))
    np.testing.assert_array_equal(bc.profile(copied).values, bc.profile(combination).values)


def test_a_python_function_of_parameters_is_the_same_as_formulas():
    def measured(name, value, error):
        estimate = bc.Estimate(name=f"e {name}", value=value, observables={name: 1.0})
        return bc.Measurement(name=f"m {name}", estimates=(estimate,), statistical_covariance=[[error**2]])

    given = bc.Combination(
        name="c",
        measurements=(measured("tau", 1.5, 0.05), measured("width", 0.66, 0.02), measured("mixed", 1.5, 0.1)),
        observables=tuple(bc.Observable(name=name) for name in ("tau", "width", "mixed")),
        assumption_sets={"none": bc.AssumptionSet(name="none")},
        assumptions="none",
    )

    def function(t, a):
        return {"tau": t, "width": 1 / t, "mixed": 2 - np.sqrt(a**2 + t) * np.exp(-t / 4) + (-a) ** 2}

    found = bc.profile(given, observables=function, start={"t": 1.4, "a": 0.5})
    texts = {"tau": "t", "width": "1 / t", "mixed": "2 - sqrt(a**2 + t) * exp(-t / 4) + a**2"}
    written = bc.profile(given, observables=texts, start={"t": 1.4, "a": 0.5})
    np.testing.assert_allclose(found.values, written.values, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, written.covariance, rtol=1e-8)
    t = found.values.sel(parameter="t").item()
    other = minimum(lambda t: ((t - 1.5) / 0.05) ** 2 + ((1 / t - 0.66) / 0.02) ** 2, (1.4,))
    assert t == pytest.approx(other.values[0], rel=1e-5)  # mixed determines a alone
    for wrong, said in (
        (lambda t, a: {"tau": t if t > 1 else a}, "a branch on a parameter"),
        (lambda t, a: {"tau": np.floor(t) + a}, "numpy's floor found"),
        (lambda t, a: {"tau": [t, a]}, "numbers and parameters are allowed"),
        (lambda t, a: [t, a], "returns"),
    ):
        with pytest.raises(bc.BayescombError, match=said):
            bc.profile(given, observables=wrong, start={"t": 1.4, "a": 0.5})
    with refused(OptionError, "'observables' and 'start' go together"):
        bc.profile(given, observables=function)


def test_derived_quantities_of_an_extraction_and_of_uncertain_sizes_are_propagated(run1):
    """By the derivative, beside the intervals of what is fitted."""
    more = run1.with_errors_on_errors({"LHCbJES": 0.3})
    given = dataclasses.replace(more, derived=(bc.Observable(name="double", unit="GeV", formula="2 * m_t - 1"),))
    fit, alone = bc.profile(given), bc.profile(more)
    np.testing.assert_array_equal(fit.values.sel(parameter="m_t"), alone.values.sel(parameter="m_t"))
    at = {"parameter": "double"}
    assert float(fit.values.sel(at)) == pytest.approx(2 * alone.values.item() - 1, rel=1e-12)
    assert float(fit.errors.sel(at)) == pytest.approx(2 * alone.errors.item(), rel=1e-9)
    assert float(fit.systematic_errors.sel(at)) == pytest.approx(2 * alone.systematic_errors.item(), rel=1e-9)
