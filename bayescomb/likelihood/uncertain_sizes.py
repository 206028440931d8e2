r"""Errors on errors: sources whose quoted size is itself uncertain, by the gamma variance model.

The quoted variance v of a source is taken as an estimate of its true variance s v, distributed as a gamma variable of mean
s v and relative standard deviation 2 epsilon, so that the quoted standard deviation is uncertain by epsilon (Cowan, Eur.
Phys. J. C 79 (2019) 133; for correlated sources Canonero and Cowan, Eur. Phys. J. C 85 (2025) 156).  With
alpha = 1 / (4 epsilon^2) and nuisances lambda of rank N and correlation C

.. math::  -2 \log L(\lambda, s) = \lambda^T C^+ \lambda / s + (N + 2 \alpha) \log s + 2 \alpha / s.

Profiled over s this is (N + 2 alpha) log(1 + lambda^T C^+ lambda / (2 alpha)); integrated with the scale-invariant prior
1 / s, which makes s an inverse gamma variable of shape and scale alpha, it is the same function of lambda, a Student t
density of 2 alpha degrees of freedom.  Given s everything stays linear and Gaussian, with C multiplied by s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray, IntArray
from bayescomb.base.errors import OptionError
from bayescomb.inputs.combination import Combination
from bayescomb.likelihood.correlation import CorrelationFamily
from bayescomb.likelihood.feasibility import EIGENVALUE_TOLERANCE, smallest_eigenvalue
from bayescomb.likelihood.linear_gaussian import LinearModel, marginal_covariance, solve

__all__ = ["LEAST_DEGREES", "SCALE", "UncertainSize", "scaled", "tail_degrees", "uncertain_sizes"]

RANK_TOLERANCE = 1e-9
# A standard deviation needs more degrees of freedom than this; the margin is the numerical error of the slope.
LEAST_DEGREES: Final = 2.0 + 1e-3
# Scales between which slopes are taken, so large that all other terms are negligible.
LARGE: Final = (1e7, 1e9)
# Up to this many sizes every subset is examined; of more, single ones and all together.
FEW_SIZES: Final = 6
# Variable of the posterior: true variance / quoted variance of the sources of uncertain size.
SCALE: Final = "variance_scale"


@dataclass(frozen=True, kw_only=True)
class UncertainSize:
    """A set of nuisances whose variance is wrong by one unknown factor s.

    Attributes:
        name: of the source; of the nuisance where each has a factor of its own.
        source: of the source.
        relative: epsilon, relative uncertainty of the quoted standard deviation.
        nuisances: positions in the family, ascending.
        rank: N, rank of the correlation of those that shift an estimate.
    """

    name: str
    source: str
    relative: float
    nuisances: IntArray
    rank: int

    @property
    def shape(self) -> float:
        """Alpha = 1 / (4 epsilon^2)."""
        return 1 / (4 * self.relative**2)


def uncertain_sizes(
    combination: Combination, family: CorrelationFamily, loading: FloatArray, correlation: FloatArray
) -> tuple[UncertainSize, ...]:
    """The uncertain sizes of a combination.

    Args:
        combination: N nuisances with a prior.
        family: their C(r).
        loading: effect of the nuisances on the data, shape (R, N); a nuisance without effect is ignored.
        correlation: C at the coefficients in use, shape (N, N).

    Raises:
        OptionError: a source is correlated with nuisances of others, so that its size is not its own; its matrix is no
            correlation matrix; or sizes are called independent although their nuisances are correlated.
    """
    found: list[UncertainSize] = []
    source_of = {n.name: n.source or n.name for n in combination.nuisances}
    labels = np.array([source_of[name] for name in family.nuisances], dtype=object)
    acting = loading.any(axis=0)
    for source, error in combination.errors_on_errors.items():
        where = f"error on the error of {source!r}"
        members = np.flatnonzero(labels == source)
        others = sorted(
            {str(labels[i]) for b in family.blocks if np.isin(b.nuisances, members).any() for i in b.nuisances} - {source}
        )
        if others:
            msg = (
                f"{where}: its nuisances are correlated with those of {', '.join(others)}, so that its size is not its own; "
                "give the correlated nuisances one source"
            )
            raise OptionError(msg)
        active = members[acting[members]]
        matrix = correlation[np.ix_(active, active)]
        smallest = smallest_eigenvalue(matrix)
        if smallest < -EIGENVALUE_TOLERANCE:
            msg = (
                f"{where}: its matrix is not a correlation matrix (smallest eigenvalue {smallest:.3g}), so that it has no "
                "nuisances whose size could be uncertain; use the treatment 'nuisance' with a repair"
            )
            raise OptionError(msg)
        relative = error.relative
        match error.kind:
            case "common":
                if len(active):
                    rank = int(np.linalg.matrix_rank(matrix, tol=RANK_TOLERANCE, hermitian=True))
                    found.append(UncertainSize(name=source, source=source, relative=relative, nuisances=members, rank=rank))
            case "independent":
                if any(len(b.nuisances) > 1 for b in family.blocks if np.isin(b.nuisances, members).any()):
                    remedy = "call the error common, or drop the correlations"
                    msg = f"{where}: independent sizes need uncorrelated nuisances; {remedy}"
                    raise OptionError(msg)
                names = [(family.nuisances[i], np.array([i])) for i in active]
                found += [UncertainSize(name=n, source=source, relative=relative, nuisances=i, rank=1) for n, i in names]
            case _:
                assert_never(error.kind)
    return tuple(found)


def scaled(correlation: FloatArray, sizes: Sequence[UncertainSize], scales: FloatArray) -> FloatArray:
    """C with the blocks of uncertain sizes multiplied by s.

    Args:
        correlation: shape (N, N), or more after the N nuisances.
        sizes: m of them.
        scales: s, shape (m,).
    """
    width = np.ones(len(correlation))
    for size, scale in zip(sizes, scales, strict=True):
        width[size.nuisances] = np.sqrt(scale)
    return correlation * np.outer(width, width)


def tail_degrees(sizes: Sequence[UncertainSize], model: LinearModel, correlation: FloatArray) -> dict[str, float]:
    r"""Degrees of freedom of the posterior tails of parameters and nuisances, those of Gaussian tails left out.

    Given the scales everything is Gaussian, so that a tail is that of the scales.  Where all sizes of a set become large
    together, s_k = t, the density of t falls like :math:`t^{-A - 1}` with A the sum of their alpha_k less the slope of the
    log marginal likelihood in log t.  The variance of what the data do not determine without these sources grows like t: a
    tail as that of Student's t with 2 A degrees of freedom, without moments of that order and above.  The slowest set
    counts.

    Args:
        sizes: m of them.
        model: R rows, P parameters, N nuisances.
        correlation: C with all sizes as quoted, shape (N, N).

    Returns:
        Name -> degrees of freedom.
    """
    shapes = np.array([size.shape for size in sizes])
    names = (*model.parameters, *model.nuisances)
    found: dict[str, float] = {}
    for members in _sets(len(shapes)):
        (evidence, variance), (evidence_far, variance_far) = (
            _far(model, scaled(correlation, sizes, np.where(members, scale, 1.0))) for scale in LARGE
        )
        slope = (evidence_far - evidence) / np.log(LARGE[1] / LARGE[0])
        degrees = float(2 * (shapes[members].sum() - slope))
        # The geometric mean of no change and a proportional one.
        grows = variance_far > variance * np.sqrt(LARGE[1] / LARGE[0])
        found |= {name: min(found.get(name, np.inf), degrees) for name, own in zip(names, grows, strict=True) if own}
    return found


def _sets(count: int) -> Iterator[BoolArray]:
    if count <= FEW_SIZES:
        yield from (np.array(members) for members in itertools.product((False, True), repeat=count) if any(members))
        return
    yield from np.eye(count, dtype=bool)
    yield np.ones(count, dtype=bool)


def _far(model: LinearModel, correlation: FloatArray) -> tuple[float, FloatArray]:
    """Log marginal likelihood without chi2, which is bounded, and variances of parameters and nuisances."""
    solution = solve(model, correlation)
    logdet = np.linalg.slogdet(marginal_covariance(model, correlation))[1] - np.linalg.slogdet(solution.covariance)[1]
    return -float(logdet) / 2, np.concatenate([np.diag(solution.covariance), solution.nuisance_variance])
