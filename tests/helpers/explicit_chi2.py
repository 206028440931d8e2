"""Chi2 straight from its definition, every nuisance explicit and dense, for the tests of fits without a closed form.

Observables first, then all nuisances in the order of the combination.  It shares nothing with the library but the classes
that hold the inputs.
"""

import itertools

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import brentq, minimize


def prior_correlation(combination):
    """C of the nuisances that have a prior, from the statements of the assumption set."""
    names = [n.name for n in combination.nuisances if not n.free]
    matrix = np.eye(len(names))
    for block in combination.assumption_set.blocks:
        index = [names.index(n) for n in block.nuisances]
        matrix[np.ix_(index, index)] = block.correlation
    for coefficient in combination.assumption_set.coefficients:
        for p in coefficient.pairs:
            i, j = names.index(p.first), names.index(p.second)
            matrix[i, j] = matrix[j, i] = p.sign * coefficient.nominal
    return matrix


class Explicit:
    """Chi2 of a combination with a nonsingular prior correlation."""

    def __init__(self, combination):
        self.combination = combination
        self.n = len(combination.observables)
        self.x = np.array([e.value for e in combination.estimates])
        self.prior = np.linalg.inv(prior_correlation(combination))
        self.bound = np.array([not n.free for n in combination.nuisances])
        self.kinked = []
        column = 0
        for m in combination.measurements:
            start = column + (len(m.fit.nuisances) if m.fit else 0)
            if m.down_responses is not None:
                differs = (m.down_responses != -m.responses).any(axis=0)
                self.kinked += [start + i for i in np.flatnonzero(differs)]
            column = start + len(m.nuisances)
        self.size = self.n + column
        self.information = block_diag(*(np.linalg.inv(self._statistical(m)) for m in combination.measurements))
        self.shifts = [self._fit_shifts(m) for m in combination.measurements]
        self.constraints = [
            None
            if m.fit is None
            else np.linalg.inv(np.linalg.inv(m.fit.information)[len(m.estimates) :, len(m.estimates) :])
            for m in combination.measurements
        ]

    @staticmethod
    def _statistical(m):
        """Covariance of the estimates at fixed nuisances."""
        n = len(m.estimates)
        return m.statistical_covariance if m.fit is None else np.linalg.inv(m.fit.information[:n, :n])

    @staticmethod
    def _fit_shifts(m):
        """Regression of the published values on the nuisances of their fit, from its covariance."""
        if m.fit is None:
            return None
        covariance, n = np.linalg.inv(m.fit.information), len(m.estimates)
        return covariance[:n, n:] @ np.linalg.inv(covariance[n:, n:])

    def prediction(self, theta, signs=None):
        """X; ``signs`` fixes the branch of the kinked nuisances."""
        mu, lam = theta[: self.n], theta[self.n :]
        predictions, start, column = [], 0, 0
        for m, fit_shifts in zip(self.combination.measurements, self.shifts, strict=True):
            n = len(m.estimates)
            t = self.combination.design[start : start + n] @ mu
            x = self.x[start : start + n]
            factor, shift = np.ones(n), np.zeros(n)
            fitted = m.fit.nuisances if m.fit else ()
            for i, nuisance in enumerate(m.all_nuisances):
                value = lam[column + i]
                if i < len(fitted):
                    up = fit_shifts[:, i]
                    down = -up
                    value = value - m.fit.pulls[i]
                else:
                    up = m.responses[:, i - len(fitted)]
                    down = -up if m.down_responses is None else m.down_responses[:, i - len(fitted)]
                positive = value >= 0
                if signs is not None and column + i in self.kinked:
                    positive = signs[self.kinked.index(column + i)] > 0
                g = up * value if positive else -down * value
                if nuisance.response == "absolute":
                    shift = shift + g
                elif nuisance.response == "relative":
                    factor = factor * (1 - g / x)
                elif positive or np.array_equal(down, -up):
                    factor = factor / (1 + up / x) ** value
                else:
                    factor = factor / (1 + down / x) ** -value
            predictions.append(t * factor - shift)
            start, column = start + n, column + len(m.all_nuisances)
        return np.concatenate(predictions)

    def __call__(self, theta, signs=None):
        lam = theta[self.n :]
        x_minus = self.x - self.prediction(theta, signs)
        if self.combination.chi2 == "pearson":
            x_minus = x_minus * np.sqrt(np.abs(self.x / self.prediction(theta, signs)))
        chi2, column = 0.0, 0
        for m, constraint in zip(self.combination.measurements, self.constraints, strict=True):
            if m.fit is not None:
                own = lam[column : column + len(m.fit.nuisances)]
                away = own - m.fit.pulls
                chi2 += away @ constraint @ away
                chi2 -= sum(v**2 for v, nuisance in zip(own, m.fit.nuisances, strict=True) if not nuisance.free)
            column += len(m.all_nuisances)
        constrained = lam[self.bound]
        return chi2 + x_minus @ self.information @ x_minus + constrained @ self.prior @ constrained

    def minimum(self, start, fixed=None):
        """Lowest value over all sign patterns of the kinked nuisances, by a bounded smooth minimisation of each."""
        fixed = fixed or {}
        movable = [i for i in range(self.size) if i not in fixed]
        base = start.copy()
        base[list(fixed)] = list(fixed.values())
        best = None
        for signs in itertools.product((1, -1), repeat=len(self.kinked)):
            bounds = [(None, None)] * self.size
            for k, sign in zip(self.kinked, signs, strict=True):
                bounds[self.n + k] = (0, None) if sign > 0 else (None, 0)
            scale = np.ones(self.size)
            scale[: self.n] = np.maximum(1e-3, 0.02 * np.abs(start[: self.n]))

            def at(step, scale=scale):
                theta = base.copy()
                theta[movable] = base[movable] + scale[movable] * step
                return theta

            limits = [tuple(None if b is None else (b - base[i]) / scale[i] for b in bounds[i]) for i in movable]
            inside = np.clip(
                0.0, [-np.inf if lo is None else lo for lo, _ in limits], [np.inf if hi is None else hi for _, hi in limits]
            )

            def chi2(step, at=at, signs=signs):
                # A trial step may go to where products of factors overflow: that is far from any minimum.
                with np.errstate(over="ignore", invalid="ignore"):
                    found = self(at(step), signs)
                return found if np.isfinite(found) else 1e300

            found = minimize(
                chi2,
                inside,
                bounds=limits,
                method="SLSQP",
                jac="3-point",
                options={"ftol": 1e-14, "maxiter": 500},
            )
            if best is None or found.fun < best[0]:
                best = (found.fun, at(found.x))
        return best

    def crossing(self, minimum, index, direction, guess):
        """Signed distance at which the profiled chi2 has grown by 1."""
        value, theta = minimum

        def growth(distance):
            return self.minimum(theta, {index: theta[index] + direction * distance})[0] - value - 1

        return direction * brentq(growth, 0.3 * guess, 3 * guess, xtol=1e-7 * guess)

    def covariance(self, theta):
        """Inverse of half the numerical Hessian, on the side of each kink where theta lies."""
        signs = [1 if theta[self.n + k] >= 0 else -1 for k in self.kinked]
        step = np.full(self.size, 1e-3)
        step[: self.n] = 1e-5 * np.abs(theta[: self.n])

        def gradient(point):
            ahead = [self(point + d, signs) - self(point - d, signs) for d in np.diag(step)]
            return np.array(ahead) / (2 * step)

        hessian = np.array(
            [(gradient(theta + d) - gradient(theta - d)) / (2 * s) for d, s in zip(np.diag(step), step, strict=True)]
        )
        return 2 * np.linalg.inv((hessian + hessian.T) / 2)

    def linearised(self, theta):
        """Derivatives of the predictions, the mean of both sides at a kink, their information, and that of the nuisances."""
        step = np.full(self.size, 1e-4)
        step[: self.n] = 1e-6 * np.abs(theta[: self.n])
        sides = []
        for flip in (1, -1):
            signs = [flip if abs(theta[self.n + k]) < 1e-6 else np.sign(theta[self.n + k]) for k in self.kinked]
            ahead = [self.prediction(theta + d, signs) - self.prediction(theta - d, signs) for d in np.diag(step)]
            sides.append(np.array(ahead).T / (2 * step))
        information = []
        prior = np.zeros((self.size, self.size))
        column = self.n
        for m in self.combination.measurements:
            n = len(m.estimates)
            own = slice(column, column + len(m.fit.nuisances) if m.fit else column)
            if m.fit is None:
                information.append(np.linalg.inv(m.statistical_covariance))
            else:
                h = m.fit.information
                information.append(h[:n, :n])
                prior[own, own] = h[n:, n:] - h[n:, :n] @ np.linalg.solve(h[:n, :n], h[:n, n:])
                prior[own, own] -= np.diag([float(not v.free) for v in m.fit.nuisances])
            column += len(m.all_nuisances)
        bound = self.n + np.flatnonzero(self.bound)
        prior[np.ix_(bound, bound)] += self.prior
        information = block_diag(*information)
        if self.combination.chi2 == "pearson":
            root = np.sqrt(np.abs(self.x / self.prediction(theta)))
            information = information * np.outer(root, root)
        return (sides[0] + sides[1]) / 2, information, prior

    def linearised_covariance(self, theta):
        """Inverse information of the model linearised at a point, of (observables, nuisances)."""
        derivative, information, prior = self.linearised(theta)
        return np.linalg.inv(derivative.T @ information @ derivative + prior)

    def linearised_weights(self, theta):
        """d(observables, nuisances)/d(measured values) of that model."""
        derivative, information, _ = self.linearised(theta)
        return self.linearised_covariance(theta) @ derivative.T @ information


__all__ = ["Explicit", "prior_correlation"]
