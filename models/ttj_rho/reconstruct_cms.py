r"""CMS 13 TeV: constraints and post-fit correlations of the nuisances, from the published impacts.

The impact of a source g on bin b is what the variance loses with the source held at its fitted values.  With D the
constraints, R the post-fit correlation of the nuisances and h_bi = Cov(x_b, lambda_i) / D_i,

.. math:: I_{gb}^2 = h_{bg}^T R_{gg}^{-1} h_{bg}.

Choices of ours, none of which the publication excludes:

* the nuisances of one source are uncorrelated after the fit, so that the impact is the length of h_bg.  Its direction varies
  over the bins by a fixed pattern; simulated statistics act mainly in the bin of their name.
* signs: ``MOVES``.  The nuisances that are correlated with one of ATLAS move the mass up at +1 sigma: they lower the last
  bin relative to the others.  The relative sign of ATLAS and CMS is not published.
* the squared impacts add up to more than the squared totals, because the sources are correlated after the fit.  R is the
  matrix of the largest determinant, that is, the least correlated one, which has the totals: first inside each category with
  its total, then across categories with the total systematic uncertainty.  Totals are printed with one decimal.  A category
  takes the lower edge of that rounding and the total the upper one, which needs the least correlation: in the third bin the
  experimental sources, 3.1 percent, and b fragmentation, 0.8, already make up the total systematic uncertainty of 3.2.
* 1/D_i^2 = 1 + t |R_i|, with |R_i| the length of the off-diagonal row and t as small as it can be without the fit loosening
  a prior: nuisances that are correlated are constrained, others are not.
* names that no source covers (pileup and small backgrounds) move nothing.
* the three b-fragmentation nuisances, last in the public list and in groups of their own, are the ones outside of the fit:
  which of the 232 these are is not public.

With all nuisances held the covariance of the cross sections is the published statistical one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

__all__ = ["CMS_COMMENT", "CmsFit", "cms_fit"]

FloatArray = NDArray[np.float64]

CMS_COMMENT = """
CMS 13 TeV, dilepton: ttbar + 1 jet cross sections d(sigma)/d(rho) (pb) in four bins of rho. Written by reconstruct.py.
published: values, statistical covariance (that of the estimates with all nuisances held), names of the nuisances; impacts of
  the sources as printed, and totals within their rounding, which matrix and table have together
reconstructed: every other number of the matrix, and how b fragmentation is divided in the table behind it, see
  reconstruct_cms.py
"""

EXTERNAL = "b fragmentation"
CATEGORIES = ("experimental", "background", "modelling")
EDGE = 0.045  # percent, of a rounding of 0.05

# Move of the true cross sections at +1 sigma.  More events expected of a source mean a lower cross section, in all bins.
FEWER, MORE, SOFTER = (-1, -1, -1, -1), (1, 1, 1, 1), (1, 1, 1, -1)
MOVES = {
    "tt+0 jet": MORE,
    "ttbar PDF": SOFTER,
    "ttbar ISR scale": SOFTER,
    "ttbar FSR scale": SOFTER,
    "ttbar top quark pT": SOFTER,
    "b fragmentation": SOFTER,
    "colour reconnection": SOFTER,
    "ttbar matching scale": SOFTER,
    "underlying-event tune": SOFTER,
    "m_t in the simulation": SOFTER,
}
# The bins of rho as names of simulated statistics have them.
RHO_BINS = ("Rho0to03", "Rho03to045", "Rho045to07", "Rho07to1")
VARIATION = 0.6
# Correlated with ATLAS, so they grow towards the last bin.
PAIRED = ("*_flavorBottom", "*_flavorGluon", "*_relativeFSR", "*_absoluteMPFBias")
GROWING = -3.9
NEWTON_STEPS, LAST_STEPS = 8, 30


@dataclass(frozen=True, kw_only=True)
class CmsFit:
    """The reconstructed fit.

    Attributes:
        nuisances: of the matrix.
        total: uncertainty of each cross section in percent, without the external nuisances.
        constraints: of the nuisances.
        correlation: of cross sections and nuisances.
        external: nuisance outside of the fit -> shift of each cross section in percent.
    """

    nuisances: tuple[str, ...]
    total: FloatArray
    constraints: FloatArray
    correlation: FloatArray
    external: Mapping[str, FloatArray]


def cms_fit(
    nuisances: Sequence[Mapping[str, str]],
    impacts: Sequence[Mapping[str, str]],
    bins: Sequence[str],
    stat: FloatArray,
    stat_correlation: FloatArray,
) -> CmsFit:
    """The fit with the published impacts; everything in percent of the cross sections."""
    published = {(row["category"], row["source"]): np.array([float(row[b]) for b in bins]) for row in impacts}
    category = {source: kind for kind, source in published if not source.startswith("total") and kind != "all"}
    own = {source: published[kind, source] for source, kind in category.items()}
    inside = [row for row in nuisances if row["source"] != EXTERNAL]
    h = _responses(inside, own)
    outside = _responses([row for row in nuisances if row["source"] == EXTERNAL], own)
    external = dict(zip([row["nuisance"] for row in nuisances if row["source"] == EXTERNAL], outside, strict=True))

    source = np.array([row["source"] or row["nuisance"] for row in inside])
    # Sources of no category are one each.
    kind = np.array([category.get(name, "other") for name in source])
    kind = np.where(kind == "other", source, kind)
    correlation = np.eye(len(inside))
    for name in CATEGORIES:
        at = np.ix_(kind == name, kind == name)
        total = published[name, "total"] - EDGE
        square = total**2 - (own[EXTERNAL] ** 2 if category[EXTERNAL] == name else 0)
        correlation[at] = _least_correlated(correlation[at], h[kind == name], source[kind == name], square)
    # Both printed rows, the systematic uncertainty and the total, keep their rounding.
    systematic = np.minimum(
        published["all", "total systematic"] + EDGE, np.sqrt((published["all", "total"] + EDGE) ** 2 - stat**2)
    )
    correlation = _least_correlated(correlation, h, kind, systematic**2 - own[EXTERNAL] ** 2)

    covariance = stat[:, None] * stat_correlation * stat + h.T @ np.linalg.solve(correlation, h)
    total = np.sqrt(np.diag(covariance))
    return CmsFit(
        nuisances=tuple(row["nuisance"] for row in inside),
        total=total,
        constraints=_constraints(correlation),
        correlation=np.block([[covariance / np.outer(total, total), (h / total).T], [h / total, correlation]]),
        external=external,
    )


def _responses(nuisances: Sequence[Mapping[str, str]], impacts: Mapping[str, FloatArray]) -> FloatArray:
    """Covariances h in percent, shape (nuisances, bins): those of a source have the length of its impact."""
    h = np.zeros((len(nuisances), len(RHO_BINS)))
    for source in dict.fromkeys(row["source"] for row in nuisances if row["source"]):
        members = [i for i, row in enumerate(nuisances) if row["source"] == source]
        shapes = np.array([_shape(nuisances[i]["nuisance"], k) for k, i in enumerate(members)])
        shapes = np.abs(shapes) if len(members) == 1 else shapes
        h[members] = shapes / np.linalg.norm(shapes, axis=0) * impacts[source] * MOVES.get(source, FEWER)
    return h


def _shape(name: str, k: int) -> FloatArray:
    """Relative size over the bins of the k-th nuisance of a source."""
    if name.startswith("CMS_prop_"):
        own = [b for b, label in enumerate(RHO_BINS) if label in name]
        # What unfolding adds to a bin it takes from the next ones.
        near = {0: 1.0, 1: -0.3}
        return np.array([near.get(abs(b - own[0]), 0.05) if own else 0.3 for b in range(len(RHO_BINS))])
    phase = GROWING if any(fnmatchcase(name, pattern) for pattern in PAIRED) else 2.4 * k
    return 1 + VARIATION * np.cos(phase + 1.3 * np.arange(len(RHO_BINS)))


def _least_correlated(correlation: FloatArray, h: FloatArray, groups: NDArray[np.str_], squares: FloatArray) -> FloatArray:
    """The correlation R of largest determinant with h_b^T R^-1 h_b = squares, blocks inside the groups as they are.

    Newton's method on the determinant with the four conditions as constraints, led from the given matrix to the squares.
    With the blocks scaled to 1 every rotation that keeps h leaves the problem as it is, so all happens in the span of h.
    """
    scale = np.linalg.cholesky(correlation)
    scaled = np.linalg.solve(scale, h)
    basis, label = _basis(scaled, groups)
    h = basis.T @ scaled
    i, j = np.nonzero(np.triu(label[:, None] != label, 1))

    def pairs(a: FloatArray, b: FloatArray) -> FloatArray:
        return a[np.ix_(i, i)] * b[np.ix_(j, j)] + a[np.ix_(i, j)] * b[np.ix_(j, i)]

    matrix, multipliers = np.eye(len(h)), np.zeros(h.shape[1])
    begin = (h**2).sum(axis=0)
    for step in range(NEWTON_STEPS + LAST_STEPS):
        goal = begin * (squares / begin) ** min(1.0, (step + 1) / NEWTON_STEPS)
        inverse = np.linalg.inv(matrix)
        y = inverse @ h
        slope = -2 * (y[i] * y[j]).T
        curved = inverse / 2 + (y * multipliers) @ y.T
        hessian = 2 * (pairs(curved, inverse) + pairs(inverse, curved))
        system = np.block([[hessian, slope.T], [slope, np.zeros((len(goal), len(goal)))]])
        miss = goal - np.einsum("ib,ib->b", h, y)
        solution = np.linalg.solve(system, np.concatenate([2 * inverse[i, j], miss]))
        change = np.zeros_like(matrix)
        change[i, j] = change[j, i] = solution[: len(i)]
        matrix, multipliers = matrix + change, solution[len(i) :]
        if np.linalg.eigvalsh(matrix)[0] <= 0:
            msg = "no positive definite correlation found that has the published totals; check the published tables"
            raise ValueError(msg)
        if step > NEWTON_STEPS and np.abs(change).max() < 1e-13:
            basis = scale @ basis
            return correlation + basis @ (matrix - np.eye(len(matrix))) @ basis.T
    msg = "the correlations with the published totals did not converge; check the published tables"
    raise ValueError(msg)


def _basis(h: FloatArray, groups: NDArray[np.str_]) -> tuple[FloatArray, NDArray[np.str_]]:
    """Orthonormal columns that span h, each inside one group, and their groups."""
    columns, labels = [], []
    for group in dict.fromkeys(groups):
        inside = groups == group
        left, size, _ = np.linalg.svd(h[inside], full_matrices=False)
        for column in left[:, size > 1e-9].T:
            columns.append(np.zeros(len(h)))
            columns[-1][inside] = column
            labels.append(group)
    return np.array(columns).T, np.array(labels)


def _constraints(correlation: FloatArray) -> FloatArray:
    """D with D R D <= 1, the weakest along the lengths of the off-diagonal rows."""
    between = correlation - np.eye(len(correlation))
    length = np.linalg.norm(between, axis=1)
    some = length > 0
    scaled = between[np.ix_(some, some)] / np.sqrt(np.outer(length[some], length[some]))
    # A margin above rounding of the printed digits.
    return 1 / np.sqrt(1 + 1.001 * np.linalg.eigvalsh(scaled)[-1] * length)
