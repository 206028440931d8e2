r"""Relative errors: the profile beside the iterated linear combination and beside the same errors taken as absolute.

A relative error is a part of the true value, not of the measured one.  Taken as an absolute error it makes inputs that
fluctuate downwards look more precise, and common ones pull the average below all inputs (Peelle's pertinent puzzle;
D'Agostini, NIM A 346 (1994) 306).  The iterated best linear unbiased estimate (Lyons, Martin and Saxon, Phys. Rev. D 41
(1990) 982) takes the sizes at the result, :math:`k_{ei} (B \mu)_e / x_e`, solves, and repeats this until nothing moves.

The profile minimises over the nuisances too, with predictions :math:`(B \mu)_e (1 - k_{ei} \lambda_i / x_e)`.  Its
condition at the minimum is that of the iterated combination with the residual of each estimate times :math:`1 - k_{ei}
\lambda_i / x_e`. Where one relative size is common to all estimates of an observable that factor is common, and both
have the same minimum; where sizes differ the minima differ by the order of a size squared times a pull.  Weights and
errors of the profile are those of the iterated combination to the same order.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import expects
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import FitError
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["RelativeReading", "iterated_combination", "relative_reading"]

# Shift of a result in units of its error at which the iteration ends, and the largest number of steps.
CONVERGED = 1e-10
STEPS = 200
# Chi2 by which the data prefer errors that do not scale with the value: two standard deviations.
PREFERRED = 4.0


@dataclass(frozen=True, kw_only=True)
class RelativeReading:
    """Results of the three ways to take errors that are given as parts of the value.

    Attributes:
        values, errors: dims ``reading``, ``parameter``; readings are ``"as stated"`` (the profile), ``"iterated"`` and
            ``"absolute"``.
        chi2: dim ``reading``.
        steps: number of steps of the iteration.
    """

    values: xr.DataArray
    errors: xr.DataArray
    chi2: xr.DataArray
    steps: int

    @property
    def prefers_absolute(self) -> bool:
        """Whether chi2 is smaller by more than 4 if the errors do not scale with the value."""
        return float(self.chi2.sel(reading="as stated") - self.chi2.sel(reading="absolute")) > PREFERRED


@expects(combination="combination")
@single_threaded
def relative_reading(combination: Combination) -> RelativeReading | None:
    """The readings of relative and lognormal errors side by side, ``None`` where all are absolute or of an input's fit.

    Args:
        combination: what to combine.

    Raises:
        FitError: the iteration does not converge, or a minimisation failed.

    Examples:
        Peelle's pertinent puzzle: 1.5 and 1.0, 10 % each by itself and 20 % in common:

        >>> import bayescomb as bc
        >>> puzzle = bc.Combination(name="Peelle", observables=(bc.Observable(name="x"),), measurements=(bc.Measurement(
        ...     name="both", estimates=tuple(bc.Estimate(name=n, value=v, observables={"x": 1.0})
        ...         for n, v in (("first", 1.5), ("second", 1.0))), statistical_covariance=[[0.15**2, 0], [0, 0.1**2]],
        ...     nuisances=(bc.Nuisance(name="norm", response="relative"),), responses=[[0.3], [0.2]]),),
        ...     assumption_sets={"none": bc.AssumptionSet(name="none")}, assumptions="none")
        >>> found = bc.relative_reading(puzzle)
        >>> [f"{found.values.sel(reading=r).item():.2f}" for r in ("as stated", "iterated", "absolute")]
        ['1.15', '1.15', '0.88']
    """
    scaling = any(n.multiplicative for m in combination.measurements for n in m.nuisances)
    fitted = any(n.multiplicative for m in combination.measurements if m.fit for n in m.fit.nuisances)
    if not scaling or fitted or combination.normalise:
        return None
    iterated, steps = iterated_combination(combination)
    readings = {"as stated": combination, "iterated": iterated, "absolute": _absolute(combination)}
    found = {reading: _fitted(other) for reading, other in readings.items()}
    names = [o.name for o in combination.observables]
    coords = {"reading": list(readings), "parameter": names}
    values, errors = (
        xr.DataArray([row[i] for row in found.values()], dims=("reading", "parameter"), coords=coords) for i in (0, 1)
    )
    chi2 = xr.DataArray([row[2] for row in found.values()], dims="reading", coords={"reading": list(readings)})
    return RelativeReading(values=values, errors=errors, chi2=chi2, steps=steps)


def iterated_combination(combination: Combination) -> tuple[Combination, int]:
    """The combination with absolute errors of the sizes that relative ones have at its own result, and the steps to it.

    Asymmetric relative errors have the mean of both sizes.

    Raises:
        FitError: the iteration does not converge.
    """
    # Start at the measured values; the steps lead to sizes that all estimates share.
    current = _absolute(combination)
    values, errors, _ = _fitted(current)
    for step in range(1, STEPS + 1):
        current = _at(combination, combination.observable_map @ values)
        new, errors, _ = _fitted(current)
        moved = np.abs(new - values)
        values = new
        if (moved <= CONVERGED * errors).all():
            return current, step
    msg = (
        f"combination {combination.name!r}: the linear combination with sizes at its own result does not converge in "
        f"{STEPS} steps (the last moved it by {np.max(moved / errors):.2g} errors)"
    )
    raise FitError(msg)


def _fitted(combination: Combination) -> tuple[FloatArray, FloatArray, float]:
    fit, _ = normalised_fit(combination, Fitter(combination).nominal())
    index = fit.positions(o.name for o in combination.observables)
    return fit.values[index], fit.errors[index], fit.chi2


def _absolute(combination: Combination) -> Combination:
    return _at(combination, np.array([e.value for e in combination.estimates]))


def _at(combination: Combination, predicted: FloatArray) -> Combination:
    """Relative and lognormal errors made absolute, with the size that they have at predicted values of the estimates."""
    own = (predicted[part] for part in combination.estimate_slices)
    return dataclasses.replace(combination, measurements=tuple(map(_measurement_at, combination.measurements, own)))


def _measurement_at(measurement: Measurement, predicted: FloatArray) -> Measurement:
    curved = np.array([n.multiplicative for n in measurement.nuisances], dtype=bool)
    if not curved.any():
        return measurement
    measured = np.array([e.value for e in measurement.estimates])
    ratio = np.divide(predicted, measured, out=np.ones_like(measured), where=measured != 0)[:, None]
    up, down = measurement.two_sided_responses
    mean = (up - down) / 2
    return dataclasses.replace(
        measurement,
        nuisances=tuple(dataclasses.replace(n, response="absolute") for n in measurement.nuisances),
        responses=np.where(curved, mean * ratio, up),
        down_responses=None if measurement.down_responses is None else np.where(curved, -mean * ratio, down),
    )
