"""Whether published tables agree with each other: covariances, quoted errors, breakdowns, normalisation.

An impossible figure, or a large difference, is *wrong* and gives an error; an odd figure, or a small difference, gives a
warning, which ``bayescomb check`` shows.  Differences that the rounding of the published figures explains are allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.errors import InvalidMatrixError, warn_input
from bayescomb.base.numerics import unit_diagonal

__all__ = [
    "Finding",
    "correlation_findings",
    "covariance_findings",
    "diagonal_findings",
    "entry_findings",
    "normalised_findings",
    "report",
    "total_findings",
]

# Relative differences of uncertainties beyond their rounding: a warning above the first, an error above the second.
ODD: Final = 0.01
WRONG: Final = 0.1
# Differences of covariances over the product of the uncertainties give a warning only, as tables do not state how sources
# are correlated.
ODD_CORRELATION: Final = 0.02
# Eigenvalues of a correlation matrix, per row, that double precision cannot tell from 0.
ZERO: Final = 1e-12
# Distance from 1 within which the sum of a distribution suggests that it is normalised.
SUM: Final = 2e-3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem of a table.

    Attributes:
        message: the problem, with the numbers.
        wrong: whether it gives an error; otherwise it gives a warning.
    """

    message: str
    wrong: bool


def report(findings: Iterable[Finding], *, where: str) -> None:
    """Warn of each odd finding, and raise one error that lists all wrong ones.

    Raises:
        InvalidMatrixError: a finding is wrong.

    Warns:
        InputWarning: a finding is odd.

    Examples:
        >>> report([Finding(message="the diagonal is 4 and the error 3", wrong=True)], where="Table 2")
        Traceback (most recent call last):
        bayescomb.base.errors.InvalidMatrixError: Table 2: the diagonal is 4 and the error 3
    """
    found = list(findings)
    for finding in found:
        if not finding.wrong:
            warn_input(f"{where}: {finding.message}")
    wrong = [finding.message for finding in found if finding.wrong]
    if wrong:
        msg = f"{where}: {'; '.join(wrong)}"
        raise InvalidMatrixError(msg)


def covariance_findings(
    covariance: FloatArray, *, names: Sequence[str], rounding: FloatArray | float = 0.0, singular: bool = False
) -> Iterator[Finding]:
    """Find variances that are not above 0, correlations beyond 1, and eigenvalues that are not above 0.

    Args:
        covariance: shape (n, n), symmetric.
        names: n labels.
        rounding: largest rounding error of each entry, shape (n, n).
        singular: whether eigenvalues of 0 are allowed, as for a part of the total covariance.

    Examples:
        >>> [f.message for f in covariance_findings(np.array([[1.0, 3.0], [3.0, 4.0]]), names=["a", "b"])]
        ["the correlation of 'a' and 'b' is 1.5 (covariance 3, errors 1 and 2), which lies beyond 1"]
    """
    variances = np.diag(covariance)
    if (variances <= 0).any():
        i = int(np.argmin(variances))
        count = int((variances <= 0).sum())
        yield Finding(message=f"{count} variances not above 0, that of {names[i]!r} is {variances[i]:g}", wrong=True)
        return
    correlation, sizes = unit_diagonal(covariance)
    beyond = np.abs(np.triu(correlation, 1)) > 1 + ZERO
    if beyond.any():
        i, j = (int(k) for k in np.unravel_index(np.abs(np.triu(correlation, 1)).argmax(), beyond.shape))
        others = f"; {int(beyond.sum()) - 1} more pairs are" if beyond.sum() > 1 else ""
        message = (
            f"the correlation of {names[i]!r} and {names[j]!r} is {correlation[i, j]:.4g} (covariance "
            f"{covariance[i, j]:.4g}, errors {sizes[i]:.4g} and {sizes[j]:.4g}), which lies beyond 1{others}"
        )
        yield Finding(message=message, wrong=True)
        return
    rounded = np.broadcast_to(rounding, covariance.shape) / np.outer(sizes, sizes)
    yield from _eigenvalues(correlation, rounded, singular=singular)


def _eigenvalues(correlation: FloatArray, rounding: FloatArray, *, singular: bool) -> Iterator[Finding]:
    """Rounding moves an eigenvalue by at most the spectral norm of the rounding errors (Weyl)."""
    eigenvalues = np.linalg.eigvalsh(correlation)
    n, smallest, moved = len(eigenvalues), float(eigenvalues.min()), float(np.linalg.norm(rounding, 2))
    explained = (
        f", which the rounding of the entries explains (it moves an eigenvalue by up to {moved:.2g}); the matrix is "
        "singular then: leave out one row (leave_out), whose content the others determine"
    )
    if smallest < -ZERO * n:
        message = (
            f"indefinite: {int((eigenvalues < -ZERO * n).sum())} of {n} eigenvalues of its correlations are below 0, the "
            f"smallest is {smallest:.3g}{explained if moved > -smallest else ''}"
        )
        yield Finding(message=message, wrong=True)
    elif singular and smallest <= ZERO * n:
        return
    elif smallest <= ZERO * n:
        message = (
            f"singular: the smallest eigenvalue of its correlations is {smallest:.2g}; if the distribution is normalised, "
            "leave out one row (leave_out), whose content the others determine"
        )
        yield Finding(message=message, wrong=True)
    elif smallest < moved:
        message = (
            f"the smallest eigenvalue of its correlations, {smallest:.3g}, is smaller than the rounding of the entries "
            f"can move it ({moved:.2g}); if the matrix should be singular, leave out one row (leave_out); otherwise get "
            "more digits"
        )
        yield Finding(message=message, wrong=False)


def correlation_findings(
    correlation: FloatArray, *, names: Sequence[str], rounding: FloatArray | float = 0.0, singular: bool = False
) -> Iterator[Finding]:
    """As :func:`covariance_findings`, of a correlation matrix, whose diagonal must be 1.

    Examples:
        >>> [f.message for f in correlation_findings(np.array([[1.0, 1.2], [1.2, 1.0]]), names=["a", "b"])]
        ["the correlation of 'a' and 'b' is 1.2, which lies beyond 1"]
    """
    entries = list(entry_findings(correlation, names=names))
    yield from entries
    if not entries:
        off_diagonal = np.broadcast_to(rounding, correlation.shape) * (1 - np.eye(len(correlation)))
        yield from _eigenvalues(correlation, off_diagonal, singular=singular)


def entry_findings(correlation: FloatArray, *, names: Sequence[str]) -> Iterator[Finding]:
    """Find a diagonal entry that is not 1, or an entry beyond 1.

    Examples:
        >>> [f.message for f in entry_findings(np.array([[4.0, 1.0], [1.0, 1.0]]), names=["a", "b"])]
        ["the diagonal entry of 'a' is 4, it must be 1; the table holds a covariance and is named as a correlation"]
    """
    diagonal = np.diag(correlation)
    i = int(np.abs(diagonal - 1).argmax())
    if abs(diagonal[i] - 1) > ZERO:
        hint = (
            "; the table holds a covariance and is named as a correlation"
            if np.ptp(diagonal) > ZERO or diagonal[i] > 1
            else ""
        )
        yield Finding(message=f"the diagonal entry of {names[i]!r} is {diagonal[i]:g}, it must be 1{hint}", wrong=True)
        return
    i, j = (int(k) for k in np.unravel_index(np.abs(correlation).argmax(), correlation.shape))
    if abs(correlation[i, j]) > 1:
        message = f"the correlation of {names[i]!r} and {names[j]!r} is {correlation[i, j]:g}, which lies beyond 1"
        yield Finding(message=message, wrong=True)


def _worst(rows: Sequence[str], excess: FloatArray) -> str:
    """The three odd rows of largest excess, for a message."""
    worst = np.argsort(-excess, kind="stable")[: (excess > ODD).sum()]
    return f"{', '.join(rows[i] for i in worst[:3])}{', ...' if len(worst) > 3 else ''}"


def diagonal_findings(
    covariance: FloatArray,
    quoted: FloatArray,
    *,
    names: Sequence[str],
    label: str,
    slack: FloatArray | float = 0.0,
) -> Iterator[Finding]:
    """Find rows where the root of the diagonal differs from the error that is quoted beside the value.

    Args:
        covariance: shape (n, n).
        quoted: shape (n,), errors in the unit of the values.
        names: n labels.
        label: label of the errors.
        slack: largest difference that rounding explains, in the unit of the values, shape (n,).

    Examples:
        >>> found = list(diagonal_findings(np.diag([4.0, 9.0]), np.array([2.0, 4.0]), names=["a", "b"], label="stat"))
        >>> found[0].message
        "the diagonal does not match the errors 'stat' in 1 of 2 rows: 'b' 3 against 4 quoted (ratio 0.75)"
    """
    roots = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.where(quoted > 0, quoted, np.maximum(roots, 1e-300))
    excess = np.clip(np.abs(roots - quoted) - slack, 0, None) / scale
    odd = np.flatnonzero(excess > ODD)
    if not odd.size:
        return
    rows = [
        f"{n!r} {r:.4g} against {q:.4g} quoted (ratio {r / s:.3g})"
        for n, r, q, s in zip(names, roots, quoted, scale, strict=True)
    ]
    ratios = roots[odd] / scale[odd]
    common = ""
    if len(odd) == len(quoted) > 1:
        common = f"; the ratios lie from {ratios.min():.3g} to {ratios.max():.3g}"
        if np.ptp(ratios) < ODD * ratios.max():
            common += ", one common factor, as from another unit or a normalisation"
    message = (
        f"the diagonal does not match the errors {label!r} in {len(odd)} of {len(quoted)} rows: {_worst(rows, excess)}"
        f"{common}"
    )
    yield Finding(message=message, wrong=bool(excess.max() > WRONG))


def total_findings(
    total: FloatArray,
    statistical: FloatArray,
    up: FloatArray,
    down: FloatArray,
    *,
    names: Sequence[str],
    slack: FloatArray | float = 0.0,
    diagonal: bool = False,
) -> Iterator[Finding]:
    """Find differences of the total covariance from the sum of the statistical one and the sources.

    Each source is taken as fully correlated between the rows.

    Args:
        total: shape (n, n).
        statistical: shape (n, n).
        up: shape (n, m), shift at +1 sigma of each source.
        down: the same at -1 sigma.
        names: n labels.
        slack: largest difference of the uncertainties that rounding explains, in the unit of the values, shape (n,).
        diagonal: whether the total holds errors alone, without correlations to compare.

    Examples:
        >>> g = np.array([[3.0], [0.0]])
        >>> found = total_findings(np.diag([36.0, 1.0]), np.diag([16.0, 1.0]), g, -g, names=["a", "b"])
        >>> next(found).message
        "the total does not match the statistical part and 1 sources in 1 of 2 rows: 'a' 6 against 5 (ratio 1.2)"
    """
    middle = (up - down) / 2
    expected = statistical + middle @ middle.T
    roots = np.sqrt(np.clip(np.diag(total), 0, None))
    # Authors symmetrise in different ways; any size between the smaller and the larger shift is accepted.
    low, high = (
        np.sqrt(np.diag(statistical) + (f(np.abs(up), np.abs(down)) ** 2).sum(axis=1)) for f in (np.minimum, np.maximum)
    )
    excess = np.clip(np.maximum(low - roots, roots - high) - slack, 0, None) / np.maximum(roots, 1e-300)
    centre = np.sqrt(np.diag(expected))
    odd = np.flatnonzero(excess > ODD)
    if odd.size:
        rows = [
            f"{name!r} {root:.4g} against {sum_:.4g} (ratio {root / max(sum_, 1e-300):.3g})"
            for name, root, sum_ in zip(names, roots, centre, strict=True)
        ]
        message = (
            f"the total does not match the statistical part and {up.shape[1]} sources in {len(odd)} of {len(roots)} rows: "
            f"{_worst(rows, excess)}"
        )
        yield Finding(message=message, wrong=bool(excess.max() > WRONG))
        return
    difference = np.abs(np.triu(total - expected, 1)) / np.maximum(np.outer(roots, roots), 1e-300)
    i, j = (int(k) for k in np.unravel_index(difference.argmax(), difference.shape))
    if not diagonal and difference[i, j] > ODD_CORRELATION:
        size = roots[i] * roots[j]
        message = (
            f"the correlations of the total are not those of the statistical part and {up.shape[1]} sources, each fully "
            f"correlated between the rows: {names[i]!r} and {names[j]!r} have {total[i, j] / size:.3f} in the total and "
            f"{expected[i, j] / size:.3f} in the sum"
        )
        yield Finding(message=message, wrong=False)


def normalised_findings(
    covariance: FloatArray,
    values: FloatArray,
    widths: FloatArray | None,
    *,
    stated: bool,
    slack: float = 0.0,
) -> Iterator[Finding]:
    """Find a normalised distribution whose covariance is singular, as it must be, or is not.

    The sum of a normalised distribution has no variance: with the weights w that make w y = 1, V w must be 0.  One row then
    follows from the others and has to be left out.  The message gives the standard deviation of the sum relative to that of
    independent rows, which does not depend on the unit of V.

    Args:
        covariance: V, shape (n, n).
        values: y, shape (n,).
        widths: widths of the bins, shape (n,), ``None`` if the rows are no bins.
        stated: whether the authors say that the distribution is normalised; otherwise a sum of 1 or 100 tells.
        slack: relative standard deviation that rounding explains.

    Examples:
        >>> y = np.array([0.25, 0.75])
        >>> singular = np.array([[1.0, -1.0], [-1.0, 1.0]]) * 1e-4
        >>> [f.message[-34:] for f in normalised_findings(singular, y, None, stated=True)]
        [' others; leave one out (leave_out)']
        >>> next(normalised_findings(np.diag([1e-4, 1e-4]), y, None, stated=True)).message[:50]
        'stated to be normalised (sum 1), but the covarianc'
    """
    candidates = {"sum": np.ones(len(values))} | ({} if widths is None else {"sum of value times width": widths})
    sums = {how: float(weights @ values) for how, weights in candidates.items()}
    unit = {how: total for how, total in sums.items() if min(abs(total - 1), abs(total / 100 - 1)) < SUM}
    chosen = unit or (sums if stated else {})
    if not chosen or len(values) < 2:
        return
    found = {}
    for how in chosen:
        weights = candidates[how]
        independent = float(weights**2 @ np.diag(covariance))
        found[how] = np.sqrt(max(float(weights @ covariance @ weights), 0.0) / independent) if independent > 0 else 0.0
    how = min(found, key=lambda key: found[key])
    if found[how] <= max(ODD, slack):
        message = (
            f"the distribution is normalised ({how} {sums[how]:.6g}) and its covariance singular up to rounding, as it must "
            f"be (the {how} has an error of {found[how]:.2g} times that of independent rows), so that one row follows from "
            "the others; leave one out (leave_out)"
        )
        yield Finding(message=message, wrong=True)
        return
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    rows = covariance @ candidates[how]
    weighted = np.abs(covariance) @ np.abs(candidates[how])
    worst = int(np.abs(rows / np.maximum(weighted, 1e-300)).argmax())
    message = (
        f"{'stated to be normalised' if stated else 'the distribution is normalised'} ({how} {sums[how]:.6g}), but the "
        f"covariance has rank {rank} of {len(values)}: the {how} has an error of {found[how]:.3g} times that of independent "
        f"rows, where 0 is needed, and row {worst + 1} sums to {rows[worst]:.4g} with a diagonal of "
        f"{covariance[worst, worst]:.4g}; it is not the covariance of this distribution, or only a part of it"
    )
    yield Finding(message=message, wrong=stated)
