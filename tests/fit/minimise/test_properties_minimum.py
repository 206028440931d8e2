"""The profile is a minimum: chi2 written out with every nuisance is nowhere lower, whatever the model."""

import numpy as np
import pytest
from explicit_chi2 import Explicit
from hypothesis import given, settings
from hypothesis import strategies as st
from property_models import combinations, seeds
from repetitions import repetitions
from test_curved_profile import CASES, curved_combination
from theory_explicit import SCALES, general
from theory_explicit import Explicit as ExplicitExtraction

import bayescomb as bc

FEW = settings(max_examples=repetitions(15), derandomize=True, database=None, deadline=None)
# Random directions tried at each size of step, and the rounding of a chi2.
DIRECTIONS = 20
STEPS = [1e-4, 1e-2, 0.3, 3.0]
ROUNDING = 1e-8


def at_the_fit(combination, fit):
    """Argument of the explicit chi2: observables, then every nuisance, free ones among the parameters."""
    free = {n.name for n in combination.nuisances if n.free}
    nuisances = [
        (fit.values.sel(parameter=n.name) if n.name in free else fit.pulls.sel(nuisance=n.name)).item()
        for n in combination.nuisances
    ]
    return np.concatenate([fit.values.sel(parameter=[o.name for o in combination.observables]), nuisances])


def assert_nowhere_lower(chi2, best, widths, rng):
    lowest = chi2(best)
    for step in STEPS:
        for direction in rng.normal(size=(DIRECTIONS, len(best))):
            # All together, and few at a time: a random direction in many dimensions hardly follows a valley.
            few = direction * (rng.random(len(best)) < 0.3)
            for d in (direction, few):
                assert lowest <= chi2(best + step * widths * d) + ROUNDING * (1 + abs(lowest))


@FEW
@given(combination=combinations(treatment="nuisance"), rng=seeds)
def test_linear_profile_is_nowhere_above_another_point(combination, rng):
    fit, chi2 = bc.profile(combination), Explicit(combination)
    best = at_the_fit(combination, fit)
    widths = np.concatenate([fit.errors, np.ones(len(best) - 2)])
    assert_nowhere_lower(chi2, best, widths, rng)
    # What is reported is the growth of chi2 over that of the inputs alone, each with observables of its own.
    saturated = combination.saturated()
    own = Explicit(saturated)(at_the_fit(saturated, bc.profile(saturated)))
    assert fit.chi2 == pytest.approx(chi2(best) - own, rel=1e-7, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=repetitions(3), derandomize=True, database=None, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_curved_profile_is_nowhere_above_another_point(case, seed):
    """Relative, lognormal and asymmetric responses, Pearson's chi2, free nuisances, fits with pulls."""
    combination = curved_combination(seed, **case)
    fit, chi2 = bc.profile(combination), Explicit(combination)
    best = at_the_fit(combination, fit)
    widths = np.concatenate([fit.errors[:2], np.ones(len(best) - 2)])
    assert_nowhere_lower(chi2, best, widths, np.random.default_rng(seed))


@pytest.mark.slow
@pytest.mark.parametrize("case", SCALES)
def test_profile_of_a_mass_is_nowhere_above_another_point(case):
    """Theory nuisances, scales, levels of normalised distributions and nuisances of the inputs all move."""
    combination = general(case)
    explicit, fit = ExplicitExtraction(combination), bc.profile(combination)
    theta, eta, _, loose = explicit.parts[0], explicit.parts[2], explicit.parts[3], explicit.parts[4]
    best = np.zeros(len(explicit.start))
    best[theta] = fit.values.sel(parameter=list(explicit.chosen.mass_parameters))
    best[explicit.parts[1]] = fit.values.sel(parameter=list(explicit.chosen.scale_parameters))
    ours = len(explicit.nuisances)
    best[eta] = fit.pulls[ours : ours + eta.stop - eta.start]
    best[loose] = fit.values.sel(parameter=explicit.loose)
    best[explicit.parts[5]] = fit.pulls.sel(nuisance=explicit.nuisances)
    # A level is what the fitted bins have beyond their prediction, in units of what was measured.
    for i, table in enumerate(explicit.normalised):
        name = table.observables[0]
        away = fit.values.sel(parameter=name).item() - explicit.observables(best)[name]
        best[explicit.parts[3].start + i] = away / explicit.measured_at[name]
    limit = explicit.chosen.scales.width if explicit.chosen.scales.prior == "uniform" else np.inf

    def chi2(p):
        p = p.copy()
        p[explicit.parts[1]] = np.clip(p[explicit.parts[1]], -limit, limit)
        p[theta] = np.clip(p[theta], 165.0, 180.0)
        return float(np.sum(explicit.residuals(p) ** 2))

    widths = np.ones(len(best))
    widths[theta] = fit.errors.sel(parameter=list(explicit.chosen.mass_parameters))
    widths[explicit.parts[3]] = 0.01
    widths[loose] = fit.errors.sel(parameter=explicit.loose)
    rng = np.random.default_rng(3)
    assert_nowhere_lower(chi2, best, widths, rng)
    assert fit.chi2 + fit.own_chi2 == pytest.approx(chi2(best), abs=1e-6)
