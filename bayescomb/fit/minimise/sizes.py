"""Profile of the uncertain sizes of sources: a minimisation around the fit at given sizes, which is linear algebra.

With t = log s the objective is chi2(t) + sum_k [(N_k + 2 alpha_k) t_k + 2 alpha_k exp(-t_k)] less its value where every
nuisance is 0, so that it is 0 for perfect agreement.  Its gradient needs nothing but the fitted nuisances:
d chi2 / d t_k = - lambda_k^T C_k^+ lambda_k / s_k.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import FitError
from bayescomb.fit.minimise.delta_chi2 import crossing
from bayescomb.fit.minimise.extraction import fit_extraction
from bayescomb.fit.minimise.mass_chi2 import mass_chi2
from bayescomb.likelihood.linear_gaussian import LinearModel, Solution, integrate_out, solve
from bayescomb.likelihood.theory import Theory
from bayescomb.likelihood.uncertain_sizes import UncertainSize, scaled

__all__ = ["STEP", "SizeFit", "SizeProfile"]

Objective = Callable[[FloatArray], tuple[float, FloatArray]]

# Largest component of the gradient at a minimum: the chi2 there is good to its square.
GRADIENT_TOLERANCE = 1e-6
# Step in log s of central differences of the gradient, whose error is of second order in it.
STEP = 1e-4
# The same for differences of a chi2 that Migrad has minimised to a few 1e-6.
COARSE_STEP = 1e-2
COARSE_TOLERANCE = 1e-2
# Log of a scale beyond which nothing is searched: a size wrong by a factor of 150.
LARGEST_LOG = 10.0
CROSSING_STEPS = 60
# Log of the scale of the larger sizes to try, and the number of sizes up to which every subset is tried.
LARGER = 3.0
FEW_SIZES = 4
# Minima whose scales differ by less than this in log s are one.
DISTINCT = 0.05
# Minima above the lowest by more than this are not reported.
WITHIN = 15.0


@dataclass(frozen=True, kw_only=True)
class SizeFit:
    """Sizes at a maximum of the likelihood.

    Attributes:
        scales: s = true variance / quoted variance, shape (m,).
        chi2: -2 log L, 0 for perfect agreement.
        log_covariance: covariance of log s, all other variables profiled, shape (m, m).
    """

    scales: FloatArray
    chi2: float
    log_covariance: FloatArray


class SizeProfile:
    """-2 log L of the scales, all other variables profiled.

    Args:
        sizes: m uncertain sizes.
        model: linear model in the observables.
        correlation: C of its N nuisances with all sizes as quoted, shape (N, N).
        theory: the prediction of an extraction.
    """

    def __init__(
        self, sizes: Sequence[UncertainSize], model: LinearModel, correlation: FloatArray, theory: Theory | None
    ) -> None:
        self.kept = np.sort(np.concatenate([size.nuisances for size in sizes]))
        self.theory = theory
        self.model = integrate_out(model, self.kept, correlation)
        self.correlation = correlation[np.ix_(self.kept, self.kept)]
        self.sizes = tuple(dataclasses.replace(size, nuisances=np.searchsorted(self.kept, size.nuisances)) for size in sizes)
        self.twice_shape = np.array([2 * size.shape for size in sizes])
        self.weight = np.array([size.rank for size in sizes]) + self.twice_shape

    def minima(self, *, everywhere: bool = True) -> tuple[SizeFit, ...]:
        """The minima found from quoted, smaller and larger sizes, the lowest first; long tails allow several.

        Of two inputs that disagree either can have the larger size than quoted, so that the starts have one larger size, or
        all but one; with a few sizes every choice.

        Args:
            everywhere: start from choices of some larger sizes too, not only from none and all of them.

        Raises:
            FitError: there is no minimum within sizes wrong by a factor of 150.
        """
        smallest = np.log(self.twice_shape / self.weight)
        found: list[tuple[FloatArray, float]] = []
        choices = _choices(len(smallest), few=not everywhere or self.theory is not None)
        for start in (np.zeros_like(smallest), *(smallest + LARGER * choice for choice in choices)):
            point = _lowest(self.value, start)
            if not any(np.abs(point[0] - other[0]).max() < DISTINCT for other in found):
                found.append(point)
        found.sort(key=lambda point: point[1])
        near = [point for point in found if point[1] <= found[0][1] + WITHIN]
        fits = [self._parabola(*point) for point in near]
        if fits[0] is None:
            msg = "the uncertain sizes have no parabolic minimum; give them smaller relative uncertainties"
            raise FitError(msg)
        return tuple(fit for fit in fits if fit is not None)

    def _parabola(self, log_scales: FloatArray, chi2: float) -> SizeFit | None:
        """The fit at the lowest point of the objective; ``None`` if its second derivatives make it no minimum."""
        steps = STEP * np.eye(len(log_scales))
        second = np.array([(self.value(log_scales + h)[1] - self.value(log_scales - h)[1]) / (2 * STEP) for h in steps])
        covariance = np.linalg.inv((second + second.T) / 4)
        if not (np.isfinite(covariance).all() and np.linalg.eigvalsh(covariance).min() > 0):
            return None
        return SizeFit(scales=np.exp(log_scales), chi2=chi2, log_covariance=covariance)

    def value(self, log_scales: FloatArray) -> tuple[float, FloatArray]:
        """Objective and gradient, shape (m,)."""
        chi2, solution = self._solution(np.exp(log_scales))
        back = solution.model.loading.T @ solution.whitening.solve(solution.residual)
        along = back * solution.pulls
        penalty, slope = self._penalty(log_scales)
        return chi2 + penalty, slope - np.array([along[size.nuisances].sum() for size in self.sizes])

    def crossing(self, best: SizeFit, index: int, centre: float, step: float, *, growth: float = 1.0) -> float:
        """Signed distance of a parameter from its best value at which the objective has grown, all others profiled.

        Args:
            best: the minimum.
            index: position of the parameter, of the masses in an extraction.
            centre: its best value.
            step: first distance to try, with its sign.
            growth: growth of the objective that is sought.

        Raises:
            FitError: the objective does not grow that much.
        """
        start = np.log(best.scales)

        def excess(distance: float) -> float:
            nonlocal start
            if distance == 0:
                return -growth
            objective = self._held(index, centre + distance)
            tolerance = GRADIENT_TOLERANCE if self.theory is None else COARSE_TOLERANCE
            # Start from the last point and from the best scales, as there can be two minima.
            starts = (start, np.log(best.scales))
            start, value = min((_lowest(objective, s, tolerance) for s in starts), key=lambda point: point[1])
            return value - best.chi2 - growth

        distance = crossing(excess, step, outward=lambda outer: outer + step / 2, most=CROSSING_STEPS)
        if distance is None:
            furthest = step * (1 + CROSSING_STEPS / 2)
            msg = f"-2 log L does not grow by {growth:.3g} within {furthest:g} of its minimum: the sizes are too uncertain"
            raise FitError(msg)
        return distance

    def solution(self, scales: FloatArray) -> Solution:
        """The linear algebra at some scales, the nuisances of the sizes first; by the tangent for an extraction."""
        return self._solution(scales)[1]

    def _solution(self, scales: FloatArray) -> tuple[float, Solution]:
        inner = scaled(self.correlation, self.sizes, scales)
        if self.theory is None:
            solution = solve(self.model, inner)
            return solution.chi2, solution
        prior = self.theory.with_prior(inner)
        fitted = fit_extraction(self.theory, self.model, mean=np.zeros(len(prior)), correlation=prior, errors="hesse")
        return fitted.chi2, fitted.solution.inner

    def _penalty(self, log_scales: FloatArray) -> tuple[float, FloatArray]:
        pull = self.twice_shape * np.exp(-log_scales)
        at_rest = self.weight * (1 + np.log(self.twice_shape / self.weight))
        return float((self.weight * log_scales + pull - at_rest).sum()), self.weight - pull

    def _held(self, index: int, value: float) -> Objective:
        """The objective with a parameter held."""
        if self.theory is None:
            name, mean = self.model.parameters[index], np.zeros(len(self.model.nuisances))
            model = self.model.at(mean=mean, held={name: value})
            held = SizeProfile.__new__(SizeProfile)
            held.__dict__ |= self.__dict__ | {"model": model}
            return held.value
        return lambda log_scales: self._held_mass(index, value, log_scales)

    def _held_mass(self, index: int, value: float, log_scales: FloatArray) -> tuple[float, FloatArray]:
        theory = self.theory
        assert theory is not None

        def at(t: FloatArray) -> float:
            prior = theory.with_prior(scaled(self.correlation, self.sizes, np.exp(t)))
            chi2 = mass_chi2(theory, self.model, mean=np.zeros(len(prior)), correlation=prior)
            start = chi2.start()
            start[index] = value
            return chi2.evaluate(chi2.minimum(start, fixed=(index,)))[0] + self._penalty(t)[0]

        steps = COARSE_STEP * np.eye(len(log_scales))
        slope = np.array([(at(log_scales + h) - at(log_scales - h)) / (2 * COARSE_STEP) for h in steps])
        return at(log_scales), slope


def _choices(count: int, *, few: bool) -> Iterator[FloatArray]:
    """Which sizes are larger than quoted: none, all, one, all but one; of few sizes every choice."""
    if few:
        yield from (np.zeros(count), np.ones(count))
        return
    if count <= FEW_SIZES:
        yield from (np.array(choice) for choice in itertools.product((0.0, 1.0), repeat=count))
        return
    yield from (np.zeros(count), np.ones(count))
    yield from np.eye(count)
    yield from 1 - np.eye(count)


def _lowest(objective: Objective, start: FloatArray, tolerance: float = GRADIENT_TOLERANCE) -> tuple[FloatArray, float]:
    bounds = [(-LARGEST_LOG, LARGEST_LOG)] * len(start)
    options = {"gtol": tolerance, "ftol": 1e-15}
    found = scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    if not np.isfinite(found.fun):
        msg = "the uncertain sizes have no minimum"
        raise FitError(msg)
    return np.asarray(found.x), float(found.fun)
