"""Random combinations of everything, in formats drawn at random, against chi2 written out for the figures themselves."""

import numpy as np
import pytest
from explicit_chi2 import Explicit
from input_formats import nuisance_name, write_model
from random_inputs import OBSERVABLES, random_case
from test_properties_minimum import at_the_fit

import bayescomb as bc

CASES, THOROUGH = 40, 300


def pytest_generate_tests(metafunc):
    """A thorough run has more cases."""
    thorough = metafunc.config.getoption("--thorough", default=False)
    metafunc.parametrize("seed", range(THOROUGH if thorough else CASES))


def cost_of_pulls(case):
    """Chi2 with an observable for every estimate, which the profile leaves out: 0 unless a prior correlates the fits."""
    if not case.pairs or not any(item.pulls for item, _ in case.inputs):
        return 0.0
    saturated = case.combination().saturated()
    return Explicit(saturated)(at_the_fit(saturated, bc.profile(saturated)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescomb.InputWarning")
def test_profile_is_the_minimum_of_the_written_out_chi2(seed, tmp_path):
    case = random_case(seed)
    head = f'chi2 = "{case.chi2}"\nnormalise = {str(case.normalise).lower()}'
    folder = write_model(tmp_path, case.inputs, {"set": case.coefficients()}, observables=OBSERVABLES, head=head)
    combination = bc.load(folder)
    fit = bc.profile(combination)
    raw = fit.unnormalised if case.normalise else fit
    explicit = Explicit(case.combination())
    names = [nuisance_name(item, form, v) for item, form in case.inputs for v in item.nuisances]
    values = raw.values.sel(parameter=list(OBSERVABLES)).to_numpy()
    theta = np.array(
        [
            *values,
            *(float(fit.pulls.sel(nuisance=v) if v in fit.pulls.nuisance else raw.values.sel(parameter=v)) for v in names),
        ]
    )
    lowest = explicit(theta)
    errors = raw.errors.sel(parameter=list(OBSERVABLES)).to_numpy()
    assert fit.chi2 == pytest.approx(lowest - cost_of_pulls(case), rel=1e-7, abs=1e-7)
    moved = theta + np.concatenate([0.3 * errors, np.full(len(names), 0.2)])
    found, at = explicit.minimum(moved)
    assert lowest <= found + 1e-7
    assert found == pytest.approx(lowest, abs=1e-6)
    assert np.abs((at[:2] - values) / errors).max() < 2e-3
    if combination.quadratic:
        covariance = explicit.covariance(theta)[:2, :2]
        np.testing.assert_allclose(raw.covariance.to_numpy()[:2, :2], covariance, rtol=1e-5, atol=1e-6 * covariance.max())
        np.testing.assert_allclose([raw.up_errors[:2], -raw.down_errors[:2]], [errors, errors], rtol=1e-9)
    else:  # one end of an interval, the rest profiled
        index = seed % 2
        end = (raw.up_errors, raw.down_errors)[seed // 2 % 2].to_numpy()[index]
        assert explicit.minimum(theta, {index: theta[index] + end})[0] - lowest == pytest.approx(1, abs=1e-4)
    if case.normalise:
        np.testing.assert_allclose(fit.values.to_numpy()[:2], values / values.sum(), rtol=1e-10)
