"""Parts of the errors of measurements: asymmetric statistics, total covariances, and the names of parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import InvalidMatrixError
from bayescomb.inputs.measurements.measurements import ROUNDING, CovarianceKind, Measurement, Nuisance, estimate_slices

__all__ = ["asymmetric_statistics", "divided_variance", "systematic_shifts", "unnamed_nuisances", "unsplit_label"]


def asymmetric_statistics(
    estimates: Sequence[str], up: FloatArray, down: FloatArray
) -> tuple[FloatArray, tuple[Nuisance, ...], FloatArray, FloatArray]:
    """Statistical uncertainties +a -b as a Gaussian part s and a nuisance with a kink, ``stat[ESTIMATE]``.

    The nuisance shifts by sqrt(a^2 - s^2) up and sqrt(b^2 - s^2) down, so that a single estimate returns its own interval:
    minimised over the nuisance, chi2 is (x - mu)^2 / a^2 on one side and (x - mu)^2 / b^2 on the other.  s is a third of
    the smaller of a and b; a symmetric uncertainty has no such nuisance.

    Args:
        estimates: n names.
        up: shift of each value by +1 sigma of the statistics, shape (n,), above 0.
        down: shift by -1 sigma, shape (n,), below 0.

    Returns:
        Standard deviations of the Gaussian part, shape (n,); m nuisances; their shifts at +1 and at -1, shape (n, m).

    Examples:
        >>> s, nuisances, plus, minus = asymmetric_statistics(["x"], np.array([5.0]), np.array([-3.0]))
        >>> s.item(), nuisances[0].name, bool(np.isclose(np.hypot(s, plus).item(), 5))
        (1.0, 'stat[x]', True)
    """
    asymmetric = [int(i) for i in np.flatnonzero(up != -down)]
    gaussian = np.abs(up)
    gaussian[asymmetric] = np.minimum(np.abs(up), np.abs(down))[asymmetric] / 3
    shifts = np.zeros((2, len(up), len(asymmetric)))
    for column, row in enumerate(asymmetric):
        for side, size in enumerate((up[row], down[row])):
            shifts[side, row, column] = np.sign(size) * np.sqrt(size**2 - gaussian[row] ** 2)
    nuisances = tuple(Nuisance(name=f"stat[{estimates[row]}]", statistical=True) for row in asymmetric)
    return gaussian, nuisances, shifts[0], shifts[1]


def unnamed_nuisances(measurement: str, count: int) -> tuple[Nuisance, ...]:
    """Nuisances of systematic uncertainties that an input does not name.

    Examples:
        >>> [n.name for n in unnamed_nuisances("D0", 2)]
        ['D0_syst1', 'D0_syst2']
    """
    return tuple(Nuisance(name=f"{measurement}_syst{k + 1}") for k in range(count))


def unsplit_label(measurements: Sequence[Measurement]) -> str:
    """Name of the part of an error that comes from total covariances and priors of parameters; empty if there is none.

    Examples:
        >>> unsplit_label([])
        ''
    """
    kinds = {m.covariance_kind for m in measurements}
    labels = []
    if CovarianceKind.TOTAL in kinds:
        labels.append("total of inputs without sources" if CovarianceKind.STATISTICAL in kinds else "total")
    if CovarianceKind.PRIOR in kinds:
        labels.append("priors of parameters")
    return " and ".join(labels)


def divided_variance(
    measurements: Sequence[Measurement], variance: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Statistical and undivided part of the variance that the covariances of the inputs give to results, shape (P,) each.

    The undivided part is the sum of w S w^T over the measurements of which only the total covariance S is known.

    Args:
        measurements: measurements with E estimates in total.
        variance: variance of P results from statistical and total covariances together, shape (P,).
        weights: d(result)/d(measured value), shape (P, E).
    """
    if all(m.is_total for m in measurements):
        return np.zeros_like(variance), variance
    unsplit = np.zeros_like(variance)
    for measurement, position in zip(measurements, estimate_slices(measurements), strict=True):
        own = weights[:, position]
        if measurement.is_total and measurement.statistical_covariance is not None:
            unsplit += np.einsum("pe,ef,pf->p", own, measurement.statistical_covariance, own)
    unsplit = np.minimum(unsplit, variance)
    rest = variance - unsplit
    return np.where(rest > ROUNDING * variance, rest, 0.0), unsplit


def systematic_shifts(total: FloatArray, statistical: FloatArray, *, where: str) -> FloatArray:
    """Shifts of independent nuisances whose covariance is the total minus the statistical covariance.

    Args:
        total: shape (n, n).
        statistical: shape (n, n).
        where: place, for messages.

    Returns:
        F with F F^T = total - statistical, shape (n, number of eigenvalues above rounding).

    Raises:
        InvalidMatrixError: the difference is not positive semidefinite.

    Examples:
        >>> F = systematic_shifts(np.array([[5.0, 4.0], [4.0, 5.0]]), np.eye(2), where="here")
        >>> (F @ F.T).round(12).tolist()
        [[4.0, 4.0], [4.0, 4.0]]
    """
    difference = total - statistical
    eigenvalues, vectors = np.linalg.eigh((difference + difference.T) / 2)
    size = float(np.trace(total))
    if eigenvalues[0] < -ROUNDING * size:
        msg = (
            f"{where}: the total covariance without the statistical one is not positive semidefinite (smallest eigenvalue "
            f"{eigenvalues[0]:.3g}), so that it is no covariance of systematic uncertainties; correct one of the two"
        )
        raise InvalidMatrixError(msg)
    kept = eigenvalues > ROUNDING * size
    shifts = vectors[:, kept] * np.sqrt(eigenvalues[kept])
    # The sign of an eigenvector is arbitrary: its largest entry is made positive, so that files are reproducible.
    return shifts * np.sign(shifts[np.abs(shifts).argmax(axis=0), np.arange(shifts.shape[1])])
