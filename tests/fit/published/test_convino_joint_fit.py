"""Two fits that share nuisances, published as Convino files with their post-fit values, give the joint fit of their data."""

import dataclasses
import warnings

import numpy as np
import pytest

import bayescomb as bc
from bayescomb.formats.convino.base_file import load_convino
from bayescomb.formats.convino.writer import write_convino

SHARED = 2
BINS = 12


class Data:
    """Simulated bins with unit errors, their response to x, y, the shared nuisances and one of their own.

    A sign of -1 gives a bin negative weight, which is how an input looks whose fit widens a nuisance beyond its prior.
    """

    def __init__(self, rng, *, signs=(), free=False):
        self.design = rng.normal(size=(BINS, 2 + SHARED + 1))
        self.design[:, 2:] *= 0.3
        self.values = self.design @ np.array([3.0, -1.0, 0.8, -0.6, 0.4]) + rng.normal(size=BINS)
        self.signs = np.ones(BINS)
        for i, column in enumerate(signs):
            # A bin that only one nuisance shifts, by more than all the others say of it.
            self.signs[i] = -1.0
            self.design[i] = 0.0
            self.design[i, column] = 0.2
            self.design[:i, column] *= 0.05
            self.design[i + 1 :, column] *= 0.05
        self.prior = np.array([0.0] * 2 + [1.0] * SHARED + [0.0 if free else 1.0])

    @property
    def information(self):
        """Without the priors."""
        return self.design.T @ (self.signs[:, None] * self.design)

    @property
    def gradient(self):
        return self.design.T @ (self.signs * self.values)

    def published(self, name):
        """The input's own fit, its priors included."""
        information = self.information + np.diag(self.prior)
        best = np.linalg.solve(information, self.gradient)
        free = self.prior[2:] == 0
        nuisances = tuple(bc.Nuisance(name=f"{name}.n{i}", free=bool(is_free)) for i, is_free in enumerate(free))
        return bc.Measurement(
            name=name,
            estimates=tuple(
                bc.Estimate(name=f"{name}.{o}", value=float(v), observables={o: 1.0})
                for o, v in zip("xy", best[:2], strict=True)
            ),
            fit=bc.FittedInput(nuisances=nuisances, information=information, pulls=best[2:]),
        )


def joint_fit(first, second):
    """Best fit and covariance of x, y, the shared nuisances and the own nuisance of each, all priors once."""
    n = 2 + SHARED + 2
    places = ([*range(2 + SHARED), n - 2], [*range(2 + SHARED), n - 1])
    precision, right = np.zeros((n, n)), np.zeros(n)
    for data, place in zip((first, second), places, strict=True):
        precision[np.ix_(place, place)] += data.information
        right[place] += data.gradient
    precision += np.diag([*first.prior, second.prior[-1]])
    covariance = np.linalg.inv(precision)
    return covariance @ right, covariance


def published_files(first, second, folder):
    coefficients = tuple(
        bc.CorrelationCoefficient(name=f"r{i}", pairs=(bc.CorrelationPair(first=f"a.n{i}", second=f"b.n{i}"),), nominal=1.0)
        for i in range(SHARED)
    )
    combination = bc.Combination(
        name="joint",
        measurements=(first.published("a"), second.published("b")),
        observables=(bc.Observable(name="x"), bc.Observable(name="y")),
        assumption_sets={"linked": bc.AssumptionSet(name="linked", coefficients=coefficients)},
        assumptions="linked",
    )
    path = write_convino(combination, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_convino(path)


VARIANTS = {
    "plain": {},
    "constraint above 1": {"signs": (2 + SHARED,)},
    "two constraints above 1": {"signs": (2, 2 + SHARED)},
    "free": {"free": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(5))
def test_published_fits_combine_to_the_joint_fit_of_their_data(tmp_path, variant, seed):
    rng = np.random.default_rng(seed)
    first, second = Data(rng, **VARIANTS[variant]), Data(rng)
    constraints = np.sqrt(np.diag(np.linalg.inv(first.information + np.diag(first.prior)))[2:])
    assert (constraints > 1).any() or "above" not in variant
    combination = published_files(first, second, tmp_path)
    fit = bc.profile(combination)
    best, covariance = joint_fit(first, second)
    parameters = ["x", "y", *(["a.n2"] if variant == "free" else [])]
    index = [0, 1, *([4] if variant == "free" else [])]
    assert list(fit.values.parameter.values) == parameters
    tight = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(fit.values, best[index], **tight)
    np.testing.assert_allclose(fit.covariance, covariance[np.ix_(index, index)], **tight)
    expected = {"a.n0": 2, "a.n1": 3, "a.n2": 4, "b.n0": 2, "b.n1": 3, "b.n2": 5}
    for name in fit.pulls.nuisance.values:
        np.testing.assert_allclose(fit.pulls.sel(nuisance=name), best[expected[name]], **tight)
        np.testing.assert_allclose(fit.constraints.sel(nuisance=name), np.sqrt(covariance[(expected[name],) * 2]), **tight)


@pytest.mark.parametrize("seed", range(5))
def test_without_the_post_fit_values_it_is_another_fit(tmp_path, seed):
    rng = np.random.default_rng(seed)
    first, second = Data(rng), Data(rng)
    combination = published_files(first, second, tmp_path)
    best, _ = joint_fit(first, second)
    ignored = bc.profile(combination.with_nuisance_values("ignored"))
    assert np.abs(ignored.values - best[:2]).max() > 1e-3
    no_values = [
        dataclasses.replace(m, fit=dataclasses.replace(m.fit, pulls=np.zeros(SHARED + 1))) for m in combination.measurements
    ]
    np.testing.assert_allclose(
        ignored.values, bc.profile(dataclasses.replace(combination, measurements=no_values)).values, rtol=1e-12
    )
