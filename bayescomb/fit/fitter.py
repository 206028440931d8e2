r"""Maximum-likelihood fits at fixed coefficients, in closed form or by iminuit, and their normalised results.

Profile, impacts, scans and compatibility all fit through :class:`Fitter`, which prepares once what does not depend on the
coefficients.  Holding nuisances at given values is conditioning their prior: N(m, C') with
C' = C - C_g C_gg^+ C_g^T and m = C_g C_gg^+ lambda_g, which serves a singular C too.

Normalised results are the observables x divided by their sum S.  The derivative of y = x / S is J = (1 - y 1^T) / S, so that
the covariance of y is J V J^T, of rank one less than its size.  For their intervals V consists of the correlations of the
second derivatives and the larger of the Delta chi2 = 1 errors, the choice of Convino, whose toys this replaces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import located
from bayescomb.base.choices import FitErrors
from bayescomb.base.errors import FitError
from bayescomb.fit.fit_result import Fit, FittedSizes, Held, OtherMinimum
from bayescomb.fit.minimise.bounds import bounded_interval, positions, within_bounds
from bayescomb.fit.numerical import numerical_fit
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import CorrelationFamily, Repair, correlation_family, feasible_correlation
from bayescomb.likelihood.linear_gaussian import LinearModel, linear_model, solve

if TYPE_CHECKING:
    from bayescomb.fit.functions import Surface
    from bayescomb.likelihood.nonlinear.model import NonlinearParts
    from bayescomb.likelihood.theory import Theory
    from bayescomb.likelihood.uncertain_sizes import UncertainSize

__all__ = ["Fitter", "normalised_fit", "normalised_names"]


class Fitter:
    """Fits of one combination at any coefficients.

    Args:
        combination: the combination to fit.
        linear: its linear model with other data; by default that with its own data.
    """

    def __init__(self, combination: Combination, *, linear: LinearModel | None = None) -> None:
        self.combination = combination
        if linear is not None:
            self.linear = linear

    @cached_property
    def family(self) -> CorrelationFamily:
        """C(r)."""
        return correlation_family(self.combination)

    @cached_property
    def linear(self) -> LinearModel:
        """The linear model, or the tangent of one that is not linear."""
        return linear_model(self.combination)

    @cached_property
    def parts(self) -> NonlinearParts:
        """Parts of a model that is not quadratic."""
        from bayescomb.likelihood.nonlinear.model import nonlinear_parts

        return nonlinear_parts(self.combination)

    @cached_property
    def theory(self) -> Theory | None:
        """The prediction of the extraction in force."""
        if self.combination.extraction_in_force is None:
            return None
        from bayescomb.likelihood.theory import theory

        return theory(self.combination)

    def with_theory(self, correlation: FloatArray) -> FloatArray:
        """C, followed by the prior of the theory nuisances and of normal scales if a mass is extracted."""
        return correlation if self.theory is None else self.theory.with_prior(correlation)

    def correlation(
        self, coefficients: ArrayLike | Mapping[str, float] | None = None
    ) -> tuple[FloatArray, tuple[Repair, ...]]:
        """C at the coefficients, nominal by default, theory nuisances included, and the repairs.

        Raises:
            InfeasibleCorrelationError: the coefficients leave the feasible set of the treatment in force.
        """
        r = self.family.vector(coefficients)
        correlation, repairs = feasible_correlation(self.combination, self.family, r)
        return self.with_theory(correlation), repairs

    def nominal(self) -> Fit:
        """The fit at nominal coefficients, with the errors of the linearised model."""
        return self.fit(self.correlation()[0], errors="hesse")

    def hold(self, fit: Fit, correlation: FloatArray, names: Collection[str]) -> Held:
        """The prior of a fit with some nuisances, free ones too, held at their fitted values."""
        index = np.array([i for i, name in enumerate(fit.nuisances) if name in names], dtype=np.intp)
        gain = correlation[:, index] @ np.linalg.pinv(correlation[np.ix_(index, index)], rcond=1e-12, hermitian=True)
        rest = correlation - gain @ correlation[index]
        rest[index] = rest[:, index] = 0.0
        values = zip(fit.parameters, fit.values, strict=True)
        free = {p: float(v) for p, v in values if p in names and p in self._free_names}
        return Held(mean=gain @ fit.pulls[index], correlation=(rest + rest.T) / 2, free=free)

    def fit(
        self,
        correlation: FloatArray,
        *,
        held: Held | None = None,
        errors: FitErrors = "minos",
        near: Fit | None = None,
        of: Collection[str] | None = None,
    ) -> Fit:
        """Fit at a correlation of the nuisances.

        Args:
            correlation: C, shape (N, N).
            held: the prior of :meth:`hold`, used instead of C.
            errors: ``"minos"``, ``"crossing"`` (Delta chi2 = 1 as well, faster because MINOS gives no starting point) or
                ``"hesse"``; all are the same where chi2 is quadratic.
            near: an earlier fit of the same combination used as starting point.
            of: parameters whose Delta chi2 = 1 errors are wanted; all by default.

        Raises:
            InfeasibleCorrelationError: the total precision is not positive definite.
            UnderdeterminedError: a parameter is not determined.
            FitError: the minimisation failed.
        """
        conditioned = held is not None  # C already contains the fitted sizes, which stay as they are
        held = held or Held(mean=np.zeros(len(correlation)), correlation=correlation)
        where = f"combination {self.combination.name!r}"
        # Sizes that doubles cannot square end in an error below, not in a warning on the way.
        with located(where), np.errstate(all="ignore"):
            try:
                if self.combination.errors_on_errors and not conditioned:
                    fit = self._uncertain(correlation, errors=errors, of=of)
                elif self.theory is not None:
                    fit = self._extraction(self.theory, held, errors=errors)
                elif self.combination.quadratic and not self.combination.boxed:
                    fit = self._closed_form(held, errors=errors)
                else:
                    fit = numerical_fit(self.parts, held, errors=errors, near=near, of=of, bounds=self.combination.bounds)
                if self.combination.functions and fit.sizes is None:
                    from bayescomb.fit.functions import with_functions

                    surface = None if errors == "hesse" or self.theory is not None else self._surface(held, fit)
                    fit = with_functions(self.combination, fit, surface, of=of)
            except (np.linalg.LinAlgError, ValueError) as error:
                msg = f"the fit fails numerically ({error}); check the sizes of the inputs and their units"
                raise FitError(msg) from error
            if not all(
                np.isfinite(part).all() for part in (fit.values, fit.covariance, fit.up, fit.down, fit.pulls, fit.chi2)
            ):
                msg = "the fit is not finite; check the sizes of the inputs and their units"
                raise FitError(msg)
        return fit if len(fit.correlation) else dataclasses.replace(fit, correlation=held.correlation)

    def sizes(self, correlation: FloatArray) -> tuple[UncertainSize, ...]:
        """The uncertain sizes at a correlation of the nuisances."""
        from bayescomb.likelihood.uncertain_sizes import uncertain_sizes

        n = len(self.family.nuisances)
        return uncertain_sizes(self.combination, self.family, self.linear.loading, correlation[:n, :n])

    def scaled(self, correlation: FloatArray, scales: ArrayLike) -> FloatArray:
        """C with the uncertain sizes at given scales, shape (m,)."""
        from bayescomb.likelihood.uncertain_sizes import scaled

        return scaled(correlation, self.sizes(correlation), np.asarray(scales, dtype=float))

    def certain(self, correlation: FloatArray, *, errors: FitErrors = "hesse") -> Fit:
        """The fit with all sizes as in C, none of them uncertain."""
        return self.fit(correlation, held=Held(mean=np.zeros(len(correlation)), correlation=correlation), errors=errors)

    def _uncertain(self, correlation: FloatArray, *, errors: FitErrors, of: Collection[str] | None) -> Fit:
        """The fit with the sizes of sources fitted too; everything linear is that at the fitted sizes."""
        from bayescomb.fit.minimise.sizes import STEP, SizeProfile
        from bayescomb.likelihood.uncertain_sizes import scaled

        n = len(self.family.nuisances)
        sizes = self.sizes(correlation)
        if not sizes:  # no uncertain source shifts an estimate
            return self.certain(correlation)
        profiled = SizeProfile(sizes, self.linear, correlation[:n, :n], self.theory)
        best, *rest = profiled.minima(everywhere=errors == "minos")

        def at(log_scales: FloatArray) -> Fit:
            return self.certain(scaled(correlation, sizes, np.exp(log_scales)))

        fit = at(np.log(best.scales))
        moved = [[at(np.log(best.scales) + sign * h) for sign in (1, -1)] for h in STEP * np.eye(len(sizes))]
        by_log = np.array([(up.values - down.values) / (2 * STEP) for up, down in moved]).T
        pulls_by_log = np.array([(up.pulls - down.pulls) / (2 * STEP) for up, down in moved]).T
        reach = by_log @ best.log_covariance
        covariance = fit.covariance + reach @ by_log.T
        up = np.sqrt(np.diag(covariance))
        down = -up
        if errors != "hesse":
            wanted = self.linear.parameters if self.theory is None else self.theory.masses
            for i, name in enumerate(wanted):
                if of is None or name in of:
                    start = (float(up[i]), float(down[i]))
                    up[i], down[i] = (profiled.crossing(best, i, float(fit.values[i]), step) for step in start)
        others = [(at(np.log(o.scales)), o) for o in rest] if errors == "minos" else []
        return dataclasses.replace(
            fit,
            others=tuple(
                OtherMinimum(values=found.values, delta_chi2=o.chi2 - best.chi2, theta=np.log(o.scales))
                for found, o in others
            ),
            covariance=covariance,
            up=up,
            down=down,
            chi2=best.chi2,
            nuisance_variance=fit.nuisance_variance + ((pulls_by_log @ best.log_covariance) * pulls_by_log).sum(axis=1),
            cross_covariance=fit.cross_covariance + reach @ pulls_by_log.T,
            sizes=FittedSizes(sizes=sizes, fit=best, profile=profiled, certain=fit, variance=(reach * by_log).T),
        )

    def _closed_form(self, held: Held, *, errors: FitErrors) -> Fit:
        model = self.linear.at(mean=held.mean, held=held.free)
        free = solve(model, held.correlation)
        bounded = positions(model.parameters, tuple(self.combination.bounds))
        solution, active = within_bounds(free, bounded)
        up = down = None
        if len(bounded) and errors != "hesse":
            ends = [bounded_interval(free.values, free.root, bounded, i) for i in range(len(free.values))]
            up, down = (np.array(end) for end in zip(*ends, strict=True))
        return Fit.of(solution, chi2=solution.chi2, mean=held.mean, up=up, down=down, at_bound=active)

    def _surface(self, held: Held, fit: Fit) -> Surface:
        """Chi2 around the minimum of a fit."""
        from bayescomb.fit.functions import curved_surface, quadratic_surface
        from bayescomb.fit.minimise.nonlinear import theta_covariance
        from bayescomb.likelihood.nonlinear.model import nonlinear_model
        from bayescomb.likelihood.nonlinear.objective import objective

        bounds = self.combination.bounds
        if not len(fit.theta):
            model = self.linear.at(mean=held.mean, held=held.free)
            return dataclasses.replace(
                quadratic_surface(solve(model, held.correlation), bounds), point=fit.values, covariance=fit.covariance
            )
        chi2 = objective(nonlinear_model(self.parts, correlation=held.correlation, mean=held.mean), held.correlation)
        names = self.parts.observables + self.parts.free
        fixed = [i for i, name in enumerate(names) if name in held.free]
        return curved_surface(chi2, fit.theta, theta_covariance(chi2, fit.theta, held=fixed), bounds, fixed)

    def _extraction(self, theory: Theory, held: Held, *, errors: FitErrors) -> Fit:
        from bayescomb.fit.minimise.extraction import fit_extraction

        fitted = fit_extraction(
            theory,
            self.linear.at(mean=np.zeros(len(self.linear.nuisances)), held=held.free),
            mean=held.mean,
            correlation=held.correlation,
            errors=errors,
        )
        return Fit.of(fitted.solution, chi2=fitted.chi2, mean=held.mean, up=fitted.up, down=fitted.down, theta=fitted.theta)

    @cached_property
    def _free_names(self) -> frozenset[str]:
        return frozenset(n.name for n in self.combination.nuisances if n.free)


def normalised_names(combination: Combination) -> list[str]:
    """The observables that are divided by their sum: all but spectators."""
    return [o.name for o in combination.observables if not o.spectator]


def normalised_fit(combination: Combination, fit: Fit) -> tuple[Fit, FloatArray]:
    """The fit with its observables normalised, and the derivative by the original parameters, shape (P, P).

    The interval is the same up and down.  Without normalisation it is the fit itself.

    Raises:
        FitError: the sum is not above 0.

    Examples:
        >>> import numpy as np
        >>> y = np.array([1.0, 3.0]) / 4
        >>> ((np.eye(2) - np.outer(y, np.ones(2))) / 4).tolist()
        [[0.1875, -0.0625], [-0.1875, 0.0625]]
    """
    if not combination.normalise:
        return fit, np.eye(len(fit.parameters))
    index = fit.positions(normalised_names(combination))
    total = float(fit.values[index].sum())
    if not total > 0:
        msg = f"combination {combination.name!r}: the observables sum to {total:g}, a normalisation needs a sum above 0"
        raise FitError(msg)
    values = fit.values.copy()
    values[index] /= total
    widening = np.maximum(fit.up, -fit.down) / fit.hesse.errors
    jacobian = np.eye(len(values))
    jacobian[np.ix_(index, index)] = (np.eye(len(index)) - np.outer(values[index], np.ones(len(index)))) / total
    interval = np.sqrt(np.diag(jacobian @ (fit.hesse.covariance * np.outer(widening, widening)) @ jacobian.T))
    up, down = fit.up.copy(), fit.down.copy()
    up[index], down[index] = interval[index], -interval[index]
    second = fit.second and dataclasses.replace(
        fit.second,
        covariance=jacobian @ fit.second.covariance @ jacobian.T,
        cross_covariance=jacobian @ fit.second.cross_covariance,
    )
    changed = dataclasses.replace(
        fit,
        values=values,
        covariance=jacobian @ fit.covariance @ jacobian.T,
        up=up,
        down=down,
        cross_covariance=jacobian @ fit.cross_covariance,
        second=second,
    )
    return changed, jacobian
