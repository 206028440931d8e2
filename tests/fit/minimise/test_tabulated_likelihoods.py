"""Fits with likelihood tables: a parabola is a Gaussian input, a counting experiment its own likelihood."""

import dataclasses

import numpy as np
import pytest
from iminuit import Minuit
from refusals import refused
from repetitions import repetitions
from scipy.optimize import brentq, minimize
from table_models import (
    EXPECTED,
    INTERPOLATION,
    SEEN,
    combined,
    counted,
    counted_and_measured,
    counting_table,
    measured,
    parabola,
    tabulated,
)

import bayescomb as bc
from bayescomb.base.errors import OptionError
from bayescomb.fit.fitter import Fitter
from bayescomb.fit.post_fit import beyond_tables
from bayescomb.inputs.serialise import combination_from_json, combination_to_json
from bayescomb.likelihood.nonlinear.model import nonlinear_model, nonlinear_parts
from bayescomb.likelihood.nonlinear.objective import objective
from bayescomb.output.statements import beyond_notes, header
from bayescomb.output.text.fit import profile_text


def values_of(fit):
    return [x.item() for x in (fit.values, fit.errors, fit.up_errors, fit.down_errors)]


@pytest.mark.parametrize("seed", range(repetitions(3)))
def test_a_parabola_combines_as_the_gaussian_that_it_is(seed):
    """Profile, parts of the errors, weights, pulls, impacts, scan and compatibility, by the numerical and the closed fit."""
    rng = np.random.default_rng([7, seed])
    value, error, shift = rng.normal(1, 1), rng.uniform(0.4, 1), rng.uniform(0.1, 0.5)
    other = measured("b", 2.0, 0.5, 0.4)
    gaussian = combined(measured("a", value, error, shift), other)
    table = combined(tabulated("a", parabola(value, error), shift), other)
    first, second = bc.profile(gaussian), bc.profile(table)
    assert values_of(second) == pytest.approx(values_of(first), rel=1e-7)
    assert (second.chi2, second.ndf, second.p_value) == pytest.approx((first.chi2, first.ndf, first.p_value), rel=1e-7)
    for key in ("weights", "pulls", "constraints", "statistical_errors", "systematic_errors"):
        np.testing.assert_allclose(getattr(second, key), getattr(first, key), rtol=1e-7, atol=1e-9)
    a, b = (bc.impacts(c).sources for c in (gaussian, table))
    np.testing.assert_allclose(b, a, rtol=1e-7)
    assert [c.chi2 for c in bc.compatibility(table)] == pytest.approx([c.chi2 for c in bc.compatibility(gaussian)], rel=1e-6)
    scanned = [next(iter(bc.scan(c).rows)).half_shift.item() for c in (gaussian, table)]
    assert scanned[1] == pytest.approx(scanned[0], rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("value", [4.0, 7.0, 11.0])
def test_a_counting_experiment_combines_by_its_likelihood(value):
    """Against a minimisation of its chi2 written out, with the errors of MINOS."""
    model = counted_and_measured(value=value)
    fit = bc.profile(model.combination)
    minuit = Minuit(model.chi2, 6.0, 0.0, 0.0)
    minuit.errordef, minuit.tol = 1, 1e-6
    minuit.migrad()
    minuit.minos(0)
    size = fit.errors.item()
    # The table's chi2 is that of the function to INTERPOLATION, so the minimum moves by less than its root, and in practice
    # by what the slope of the difference does: 10 times INTERPOLATION in errors is ample for points 0.1 errors apart.
    close = 10 * INTERPOLATION * size
    assert fit.chi2 == pytest.approx(minuit.fval, abs=2 * INTERPOLATION)
    assert fit.values.item() == pytest.approx(minuit.values[0], abs=close)
    assert fit.up_errors.item() == pytest.approx(minuit.merrors[0].upper, abs=close)
    assert fit.down_errors.item() == pytest.approx(minuit.merrors[0].lower, abs=close)
    np.testing.assert_allclose(fit.pulls, list(minuit.values)[1:], atol=10 * INTERPOLATION)


def test_derivatives_of_chi2_are_exact():
    model = counted_and_measured()
    relative = bc.Measurement.from_likelihood(
        "rate",
        table=counting_table(),
        observable="s",
        nuisances=[bc.Nuisance(name="lumi", response="relative"), bc.Nuisance(name="eff", response="lognormal")],
        responses=[0.9, 0.5],
    )
    combination = dataclasses.replace(model.combination, measurements=(*model.combination.measurements, relative))
    fitter = Fitter(combination)
    correlation, _ = fitter.correlation()
    chi2 = objective(nonlinear_model(nonlinear_parts(combination), correlation=correlation), correlation)
    rng = np.random.default_rng(5)
    for _ in range(5):
        theta = np.concatenate([[rng.uniform(2, 12)], rng.normal(size=chi2.size - 1)])
        steps = 1e-5 * np.eye(chi2.size)
        slope = [(chi2.value(theta + h) - chi2.value(theta - h)) / 2e-5 for h in steps]
        np.testing.assert_allclose(chi2.gradient(theta), slope, rtol=1e-6, atol=1e-6)
        bend = [(chi2.gradient(theta + h) - chi2.gradient(theta - h)) / 2e-5 for h in steps]
        np.testing.assert_allclose(chi2.hessian(theta), bend, rtol=1e-3, atol=1e-3)  # of a curve with a third derivative


def test_nothing_seen_is_at_the_bound_with_its_own_interval():
    """-2 ln L = 2 s alone: 0, up to 0.5; with a measurement of 1 +- 1, the minimum of 2 s + (s - 1)^2 is 0 as well."""
    empty = tabulated("counts", counting_table(seen=1e-9, expected=1e-9))
    alone = bc.profile(combined(empty, nonnegative=("s",)))
    assert alone.values.item() == pytest.approx(0, abs=1e-9)
    assert alone.chi2 == pytest.approx(0, abs=INTERPOLATION)
    both = bc.profile(combined(empty, measured("m", 3.0, 1.0), nonnegative=("s",)))
    # 2 s + (s - 3)^2 is lowest at 2, by 4 + 1 = 5
    assert (both.values.item(), both.chi2) == pytest.approx((2.0, 5.0), abs=10 * INTERPOLATION)
    assert both.up_errors.item() == pytest.approx(1.0, abs=10 * INTERPOLATION)
    assert both.down_errors.item() == pytest.approx(-1.0, abs=10 * INTERPOLATION)


def test_a_flat_tail_has_two_minima_and_both_are_found():
    """-2 ln L = 8 ln(1 + t^2 / 4) and a Gaussian 24 away: minima from the roots of the slope."""
    t = np.linspace(-30, 30, 481)
    table = bc.LikelihoodTable(points=tuple(t), rises=tuple(8 * np.log1p(t**2 / 4)))
    fit = bc.profile(combined(tabulated("a", table), measured("b", 24.0, 4.0)))

    def slope(x):
        return 16 * x / (4 + x**2) + 2 * (x - 24) / 4**2

    low, high = brentq(slope, 0, 4), brentq(slope, 12, 24)
    chi2 = {x: 8 * np.log1p(x**2 / 4) + ((x - 24) / 4) ** 2 for x in (low, high)}
    best = min(chi2, key=chi2.get)
    assert fit.values.item() == pytest.approx(best, abs=1e-3)
    (other,) = fit.other_minima
    assert float(other.values[0]) == pytest.approx(low + high - best, abs=1e-3)
    assert other.delta_chi2 == pytest.approx(abs(chi2[low] - chi2[high]), abs=1e-3)


def test_it_survives_blinding_and_json():
    model = counted_and_measured()
    seen = bc.profile(model.combination)
    hidden = bc.blind(model.combination, "correct horse")
    fit = bc.profile(hidden)
    assert abs(fit.values.item() - seen.values.item()) > 2
    assert fit.chi2 == pytest.approx(seen.chi2, abs=1e-6)
    assert (fit.up_errors.item(), fit.down_errors.item()) == pytest.approx(
        (seen.up_errors.item(), seen.down_errors.item()), rel=1e-5
    )
    table = hidden.tables[0]
    assert abs(table.minimum - (SEEN - EXPECTED)) > 2
    assert f"{SEEN - EXPECTED:.2g}" not in profile_text(fit).split("weights")[0]
    back = bc.profile(bc.unblind(hidden, "correct horse"))
    assert back.values.item() == pytest.approx(seen.values.item(), rel=1e-6)
    text = combination_to_json(model.combination)
    assert combination_to_json(combination_from_json(text)) == text
    assert values_of(bc.profile(combination_from_json(text))) == values_of(seen)


def test_outputs_say_that_it_is_a_table_and_where_the_fit_leaves_it():
    inside = counted_and_measured().combination
    assert "likelihood of counts as a table" in header(inside)
    assert beyond_notes(beyond_tables(bc.profile(inside))) == []
    beyond = combined(tabulated("counts", counting_table()), measured("m", 40.0, 0.5))
    (note,) = beyond_notes(beyond_tables(bc.profile(beyond)))
    assert "the fit lies beyond the likelihood table of counts" in note
    short_table = combined(tabulated("counts", counting_table(last=26)), measured("m", 6.0, 2.0))
    (short,) = beyond_notes(beyond_tables(bc.profile(short_table)))
    assert "interval of one error reaches beyond" in short


def test_the_minimum_without_a_table_is_where_the_function_says():
    """One table alone gives back its own minimum and interval."""
    fit = bc.profile(combined(tabulated("counts", counting_table())))
    found = minimize(lambda s: counted(s[0]), [5.0])
    assert fit.values.item() == pytest.approx(found.x[0], abs=1e-3)
    table = counting_table()
    assert (fit.up_errors.item(), fit.down_errors.item()) == pytest.approx(table.errors, rel=1e-5)
    assert fit.chi2 == pytest.approx(0, abs=1e-9)


def test_what_does_not_go_with_it_is_refused():
    combination = counted_and_measured().combination
    with refused(OptionError, "pearson", "likelihood table"):
        combination.with_chi2("pearson")
    with refused(OptionError, "treatment 'covariance'", "likelihood table"):
        combination.with_treatment("covariance")
    # without a shift of the table there is nothing of which covariances could not be summed
    plain = combined(tabulated("counts", counting_table()), measured("m", 6.0, 2.0)).with_treatment("covariance")
    assert bc.profile(plain).values.item() == pytest.approx(5.7, abs=0.3)
