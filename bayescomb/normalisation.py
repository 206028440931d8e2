r"""Normalised results: observables divided by their sum.

With S the sum of the values x and y = x / S, the derivative of y is J = (1 - y 1^T) / S, so that the covariance of y is
J V J^T, of rank one less than its size.  The interval beside it has in place of V the correlations of the second derivatives
with the larger of the Delta chi2 = 1 errors, the choice of Convino, whose toys this replaces.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bayescomb.errors import FitError
from bayescomb.fit import Fit
from bayescomb.inputs import Combination

__all__ = ["normalised_fit", "normalised_names"]

FloatArray = NDArray[np.float64]


def normalised_names(combination: Combination) -> list[str]:
    """The observables that are divided by their sum: all but spectators."""
    return [o.name for o in combination.observables if not o.spectator]


def normalised_fit(combination: Combination, fit: Fit) -> tuple[Fit, FloatArray]:
    """The fit with its observables normalised, and the derivative by the original parameters, shape (P, P).

    The interval is the same up and down.

    Raises:
        FitError: the sum is not above 0.

    Examples:
        >>> import numpy as np
        >>> y = np.array([1.0, 3.0]) / 4
        >>> ((np.eye(2) - np.outer(y, np.ones(2))) / 4).tolist()
        [[0.1875, -0.0625], [-0.1875, 0.0625]]
    """
    index = [fit.parameters.index(name) for name in normalised_names(combination)]
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
