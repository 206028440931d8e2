"""Separated modes: minima that the profile names, weights of modes that are known, and a posterior with two."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from two_modes import disagreeing, kinked, kinked_moments

import bayescomb as bc
from bayescomb.sampling.nuts.modes import separated_modes, weighted_modes
from bayescomb.sampling.plan import sampling_plan

# Seeds are fixed: five standard deviations.
SIGMAS = 5
STARTS = [np.zeros(3), np.array([8.0, 0.0, 0.0])]


def kinked_chi2(nuisance):
    """By hand, x and y profiled: (18 - k - 10)^2 / 2 with k lowered on both sides."""
    return nuisance**2 + (8 - (4 * nuisance if nuisance > 0 else -5 * nuisance)) ** 2 / 2


def test_profile_names_the_other_minimum_of_a_kinked_response():
    fit = bc.profile(kinked())
    sides = {side: minimize_scalar(kinked_chi2, bounds=ends, options={"xatol": 1e-9}, method="bounded")
             for side, ends in ((1, (0.1, 5.0)), (-1, (-5.0, -0.1)))}  # fmt: skip
    low, high = sorted(sides.values(), key=lambda found: found.fun)
    assert fit.chi2 == pytest.approx(low.fun, abs=1e-8)
    other = fit.other_minima
    assert other.sizes == {"minimum": 1, "parameter": 2}
    assert other["delta_chi2"].item() == pytest.approx(high.fun - low.fun, abs=1e-8)
    assert other.sel(parameter="y").item() == pytest.approx(50 - 3 * high.x, abs=1e-5)
    assert "another minimum: x = 10.44, y = 44.7, chi2 larger by 1.185" in str(fit)


def test_one_minimum_is_not_told_as_two():
    assert bc.profile(kinked(4.0)).other_minima is None
    assert bc.profile(kinked(first=18.0)).other_minima is None


def test_profile_names_the_other_minimum_of_inputs_of_uncertain_size():
    fit = bc.profile(disagreeing())

    def objective(x):
        """Of the sizes profiled numerically: each is a parabola in x with its own scale."""
        total = 0.0
        for value, size in ((100.0, 1.0), (112.0, 1.2)):
            t = np.linspace(-4, 8, 6001)
            s = np.exp(t)
            total += ((value - x) ** 2 / (0.09 + s * size**2) + 3 * t + 2 / s - 3 * (1 + np.log(2 / 3))).min()
        return total

    near, far = (minimize_scalar(objective, bounds=ends, method="bounded") for ends in ((98.0, 103.0), (109.0, 113.0)))
    assert fit.values.item() == pytest.approx(near.x, abs=1e-3)
    assert fit.other_minima.item() == pytest.approx(far.x, abs=1e-3)
    assert fit.other_minima["delta_chi2"].item() == pytest.approx(far.fun - near.fun, abs=1e-4)


def test_chains_are_to_begin_in_every_minimum():
    modes = separated_modes(sampling_plan(kinked()))
    assert [round(mode.values["y"], 1) for mode in modes] == [54.4, 44.7]
    assert [round(mode.delta_chi2, 3) for mode in modes] == [0.0, 1.185]
    assert separated_modes(sampling_plan(kinked(4.0))) == ()
    assert len(separated_modes(sampling_plan(disagreeing()))) == 2


def test_chains_begin_inside_a_range_beyond_which_a_minimum_lies():
    """y, published as 3 in place of 50, is 7.4 or -2.3 in the minima; chi2 knows no range."""
    both = kinked()
    a, b = both.measurements
    near = dataclasses.replace(b, estimates=(b.estimates[0], dataclasses.replace(b.estimates[1], value=3.0)))
    bounded = dataclasses.replace(both, measurements=(a, near)).with_nonnegative(["y"])
    modes = separated_modes(sampling_plan(bounded))
    assert [round(mode.values["y"], 1) for mode in modes] == [7.4, -2.3]
    assert all(np.isfinite(start).all() for mode in modes for start in mode.start.values())


def two_gaussians(share):
    """Log density of a mixture with a share of the second, whose width is half that of the first, and draws of each."""
    rng = np.random.default_rng(4)
    centre, dimensions = STARTS[1], 3

    def log_density(x):
        first = np.log(1 - share) - x @ x / 2
        second = np.log(share) - 2 * (x - centre) @ (x - centre) + dimensions * np.log(2)
        return np.logaddexp(first, second) + 7.0  # unnormalised

    first = rng.normal(size=(4, 1000, dimensions))
    return log_density, [first, centre + rng.normal(size=(4, 1000, dimensions)) / 2]


@pytest.mark.parametrize("share", [0.5, 0.03, 0.999])
def test_weights_of_separated_gaussians_are_their_shares(share):
    log_density, samples = two_gaussians(share)
    found = weighted_modes(samples, log_density, starts=STARTS, rng=np.random.default_rng(1))
    assert not found.crossing
    assert found.reason == ""
    assert abs(found.weights[1] - share) < SIGMAS * max(found.errors[1], 1e-5)
    assert found.errors[1] < 0.01
    modes = found.chosen[0]
    assert modes.shape == (4, 1000)
    # The rest of the rounding is by chance, so that each chain is within one draw.
    np.testing.assert_allclose((modes == 1).mean(axis=1), found.weights[1], atol=1.01e-3)


def test_chains_that_cross_are_left_as_they_are():
    rng = np.random.default_rng(2)
    side = rng.random((2, 4, 1000)) < 0.3
    samples = [rng.normal(size=(4, 1000, 2)) + np.where(s, 6.0, 0.0)[..., None] for s in side]
    found = weighted_modes(samples, lambda x: -x @ x, starts=[np.zeros(2), np.full(2, 6.0)], rng=rng)
    assert found.crossing
    assert (found.chosen[1] == np.arange(1000)).all()


def test_a_mode_that_its_chains_leave_has_no_weight():
    log_density, samples = two_gaussians(0.5)
    left = [samples[0], np.concatenate([samples[1][:, :130], samples[0][:, 130:]], axis=1)]
    left[1][2:, 100:] = samples[0][2:, 100:]
    left[1][:2] = samples[0][:2]
    found = weighted_modes(left, log_density, starts=STARTS, rng=np.random.default_rng(1))
    assert "leave it and do not come back" in found.reason


@pytest.mark.slow
def test_posterior_of_a_kinked_response_holds_both_modes_in_their_proportion():
    posterior = bc.sample(kinked(), seed=1, draws=500, tune=300, chains=4, progress=False)
    mean, sd, positive = kinked_moments()
    assert (round(mean, 2), round(sd, 2), round(positive, 2)) == (50.5, 4.98, 0.4)
    modes = json.loads(posterior.attrs["modes"])
    weight, weight_error = (modes["minima"][0][key] for key in ("weight", "weight_error"))
    assert weight == pytest.approx(1 - positive, abs=SIGMAS * weight_error + 1e-3)
    draws = posterior["posterior"]
    y = draws["y"].to_numpy()
    assert bc.verdict(posterior).passed
    # The modes are in their proportions, so that what is left is the error within them, whose sd is about 1.3.
    assert y.mean() == pytest.approx(mean, abs=SIGMAS * 1.3 / np.sqrt(400) + 10 * weight_error)
    assert y.std() == pytest.approx(sd, rel=0.05)
    assert (draws["pull"].to_numpy() > 0).mean() == pytest.approx(positive, abs=0.01)
    full = dict(posterior.attrs) | {"modes": json.dumps(modes | {"reason": "their weights are not known"})}
    posterior.attrs = full
    judged = bc.verdict(posterior)
    assert not judged.passed
    assert "2 separated minima: their weights are not known" in judged.sentence
