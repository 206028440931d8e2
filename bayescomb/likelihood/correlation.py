"""The prior correlation of the nuisances as a function of the coefficients, C(r) = C_0 + sum_c r_c E_c, and its repair.

C is affine in the coefficients, which makes its feasible set convex and every projection of it cheap.  It may be singular
or indefinite; nothing inverts it.  At fixed coefficients it is checked under the treatment in force, and repaired only
where the user asks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csc_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

from bayescomb.base.arrays import FloatArray, IntArray
from bayescomb.base.checks import check_finite, known_name
from bayescomb.base.choices import RepairKind
from bayescomb.base.errors import InfeasibleCorrelationError, OptionError
from bayescomb.base.rounding import plain, significant
from bayescomb.inputs.assumptions import CorrelationCoefficient
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Nuisance
from bayescomb.likelihood.feasibility import EIGENVALUE_TOLERANCE, smallest_eigenvalue

__all__ = [
    "CorrelationFamily",
    "NuisanceBlock",
    "Repair",
    "correlation_family",
    "feasible_correlation",
    "indefinite_blocks",
    "nearest_correlation",
    "repaired_correlation",
]

NEWTON_STEPS: Final = 100
# Tolerance on the diagonal of the nearest correlation matrix.
DIAGONAL_TOLERANCE: Final = 1e-13


@dataclass(frozen=True, kw_only=True)
class NuisanceBlock:
    """Nuisances connected by correlations: C(r) is block diagonal over these.

    Attributes:
        label: the sources it consists of, or its first nuisance.
        nuisances: positions of its nuisances, ascending.
        coefficients: positions of the coefficients that act in it.
    """

    label: str
    nuisances: IntArray
    coefficients: IntArray


@dataclass(frozen=True, kw_only=True)
class CorrelationFamily:
    """C(r) for all nuisances of a combination.

    Attributes:
        nuisances: N names.
        coefficients: the K coefficients, in the order of every vector r.
        base: C_0, shape (N, N), unit diagonal.
        pairs: per coefficient the arrays (first, second, sign) of positions and signs.
        blocks: the connected components.
    """

    nuisances: tuple[str, ...]
    coefficients: tuple[CorrelationCoefficient, ...]
    base: FloatArray
    pairs: tuple[tuple[IntArray, IntArray, FloatArray], ...]
    blocks: tuple[NuisanceBlock, ...]

    @property
    def varied(self) -> IntArray:
        """Positions of the coefficients that have a range."""
        return np.array([i for i, c in enumerate(self.coefficients) if c.varied], dtype=np.intp)

    def linked(self, index: ArrayLike) -> IntArray:
        """Positions of the nuisances in blocks where one of these coefficients acts, ascending."""
        members = [b.nuisances for b in self.blocks if np.isin(b.coefficients, index).any()]
        return np.sort(np.concatenate([np.zeros(0, dtype=np.intp), *members]))

    @property
    def nominal(self) -> FloatArray:
        """Nominal coefficients, shape (K,)."""
        return np.array([c.nominal for c in self.coefficients], dtype=float)

    def vector(self, coefficients: ArrayLike | Mapping[str, float] | None) -> FloatArray:
        """Coefficients in the order of the family, shape (K,); those that a mapping leaves out are nominal.

        Raises:
            UnknownNameError: a name is not that of a coefficient.
            OptionError: the number of coefficients is not K.
            InvalidNumberError: a coefficient is not finite.
        """
        if coefficients is None:
            return self.nominal
        names = [c.name for c in self.coefficients]
        if isinstance(coefficients, Mapping):
            found = self.nominal
            for name, value in coefficients.items():
                known_name(name, names, kind="coefficient", where="coefficients")
                found[names.index(name)] = check_finite(value, where=f"coefficient {name!r}")
            return found
        values = check_finite(coefficients, where="coefficients")
        if values.shape != (len(names),):
            example = f"{{{names[0]!r}: 0.5}}" if names else "{}"
            msg = (
                f"coefficients: shape {values.shape} found, ({len(names)},) is needed, one per coefficient of the "
                f"assumption set in its order; or give some by name, as in {example}"
            )
            raise OptionError(msg)
        return np.array(values)

    def correlation(self, coefficients: ArrayLike) -> FloatArray:
        """C(r), shape (N, N).

        Args:
            coefficients: r, shape (K,).
        """
        matrix = self.base.copy()
        for value, (first, second, sign) in zip(np.asarray(coefficients, dtype=float), self.pairs, strict=True):
            matrix[first, second] = matrix[second, first] = value * sign
        return matrix

    def pattern(self, index: int) -> FloatArray:
        """E_c = dC/dr_c, shape (N, N)."""
        first, second, sign = self.pairs[index]
        matrix = np.zeros_like(self.base)
        matrix[first, second] = matrix[second, first] = sign
        return matrix

    def projected_pattern(self, index: int, loading: FloatArray) -> FloatArray:
        """L E_c L^T for L of shape (R, N), without building E_c."""
        first, second, sign = self.pairs[index]
        half = (loading[:, first] * sign) @ loading[:, second].T
        return half + half.T

    def projected_patterns(self, index: IntArray, loading: FloatArray) -> csr_array:
        """L E_c L^T of several coefficients as sparse rows, shape (k, R * R), for L of shape (R, N)."""
        columns = csc_array(loading)
        rows = [csr_array((0, len(loading) ** 2))]
        for c in index:
            first, second, sign = self.pairs[c]
            half = (columns[:, first] * sign) @ columns[:, second].T
            rows.append(coo_array(half + half.T).reshape((1, -1)))
        return csr_array(vstack(rows))

    def block_matrices(self, block: NuisanceBlock) -> tuple[FloatArray, csr_array]:
        """Base (n, n) and patterns (k, n * n), sparse, of one block, over its own nuisances and coefficients."""
        n, k = len(block.nuisances), len(block.coefficients)
        position = np.zeros(len(self.nuisances), dtype=np.intp)
        position[block.nuisances] = np.arange(n)
        own = [self.pairs[c] for c in block.coefficients]
        row = np.concatenate([np.zeros(0, dtype=np.intp), *(np.full(len(pair[0]), c) for c, pair in enumerate(own))])
        first, second = (np.concatenate([np.zeros(0, dtype=np.intp), *(position[pair[m]] for pair in own)]) for m in (0, 1))
        sign = np.concatenate([np.zeros(0), *(pair[2] for pair in own)])
        entries = (np.tile(sign, 2), (np.tile(row, 2), np.concatenate([first * n + second, second * n + first])))
        return self.base[np.ix_(block.nuisances, block.nuisances)], csr_array(entries, shape=(k, n * n))


def correlation_family(combination: Combination) -> CorrelationFamily:
    """C(r) of the nuisances with a prior, under the assumption set in force."""
    # A free nuisance has no prior to correlate; it is a parameter.
    nuisances = tuple(n for n in combination.nuisances if not n.free)
    names = [n.name for n in nuisances]
    position = {name: i for i, name in enumerate(names)}
    assumption_set = combination.assumption_set
    base = np.eye(len(names))
    for block in assumption_set.blocks:
        index = [position[name] for name in block.nuisances]
        base[np.ix_(index, index)] = block.correlation
    pairs = []
    for coefficient in assumption_set.coefficients:
        first = np.array([position[p.first] for p in coefficient.pairs], dtype=np.intp)
        second = np.array([position[p.second] for p in coefficient.pairs], dtype=np.intp)
        pairs.append((first, second, np.array([p.sign for p in coefficient.pairs], dtype=float)))
    blocks = _connected_blocks(base, pairs, nuisances)
    return CorrelationFamily(
        nuisances=tuple(names),
        coefficients=assumption_set.coefficients,
        base=base,
        pairs=tuple(pairs),
        blocks=blocks,
    )


def _connected_blocks(
    base: FloatArray, pairs: list[tuple[IntArray, IntArray, FloatArray]], nuisances: tuple[Nuisance, ...]
) -> tuple[NuisanceBlock, ...]:
    """Connected components of the pair graph; a pair counts even where its coefficient is 0."""
    rows, columns = np.nonzero(base)
    rows = np.concatenate([rows, *(p[0] for p in pairs)])
    columns = np.concatenate([columns, *(p[1] for p in pairs)])
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=base.shape)
    count, component = connected_components(graph, directed=False)
    acting: list[set[int]] = [set() for _ in range(count)]
    for c, (first, _, _) in enumerate(pairs):
        for i in first:
            acting[component[i]].add(c)
    blocks = []
    sizes = Counter(n.source for n in nuisances)
    # A coefficient shared by several components ties their feasible sets together, so they form one block.
    for members, coefficients in _merge_by_coefficient(component, acting):
        blocks.append(
            NuisanceBlock(
                label=_label(members, nuisances, sizes),
                nuisances=np.array(members, dtype=np.intp),
                coefficients=np.array(sorted(coefficients), dtype=np.intp),
            )
        )
    return tuple(blocks)


def _label(members: list[int], nuisances: tuple[Nuisance, ...], sizes: Mapping[str, int]) -> str:
    """Sources of a block; with its first and last nuisance where a source belongs to several blocks."""
    sources = list(dict.fromkeys(nuisances[i].source for i in members))
    if not all(sources):
        names = [nuisances[i].name for i in members]
        return names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
    label = " + ".join(sources) if len(sources) < 4 else f"{sources[0]} + {len(sources) - 1} more"
    whole = sum(sizes[source] for source in sources) == len(members)
    return label if whole else f"{label} ({nuisances[members[0]].name} ... {nuisances[members[-1]].name})"


def _merge_by_coefficient(component: IntArray, acting: list[set[int]]) -> list[tuple[list[int], set[int]]]:
    """Components that share a coefficient, merged; ordered by their first nuisance."""
    leader: dict[int, int] = {}
    target = np.arange(len(acting))
    for i, coefficients in enumerate(acting):
        for c in coefficients:
            if c in leader:
                target[target == target[i]] = target[leader[c]]
            else:
                leader[c] = i
    merged: dict[int, tuple[list[int], set[int]]] = {}
    for i, k in enumerate(component):
        members, coefficients = merged.setdefault(int(target[k]), ([], set()))
        members.append(i)
        coefficients |= acting[k]
    return sorted(merged.values(), key=lambda item: item[0][0])


@dataclass(frozen=True, kw_only=True)
class Repair:
    """Effect of a repair on one block.

    Attributes:
        block: label of the block.
        how: ``shift``, ``clip`` or ``nearest``.
        smallest: smallest eigenvalue before.
        change: largest change of an entry.
    """

    block: str
    how: str
    smallest: float
    change: float


def feasible_correlation(
    combination: Combination, family: CorrelationFamily, coefficients: FloatArray
) -> tuple[FloatArray, tuple[Repair, ...]]:
    """C(r) at fixed coefficients, allowed under the combination's treatment.

    Under ``covariance`` any C is allowed here (the total covariance is checked where it is solved).  Under ``nuisance``
    every block must be positive semidefinite, or the combination must ask for a repair.

    Returns:
        C, shape (N, N), and the repairs.

    Raises:
        InfeasibleCorrelationError: a block is indefinite and no repair was asked for.
    """
    correlation = family.correlation(coefficients)
    match combination.treatment:
        case "covariance":
            return correlation, ()
        case "nuisance":
            return _repaired(combination, family, correlation)
    assert_never(combination.treatment)


def _repaired(
    combination: Combination, family: CorrelationFamily, correlation: FloatArray
) -> tuple[FloatArray, tuple[Repair, ...]]:
    """C with every indefinite block repaired, and the repairs."""
    repairs, infeasible = [], []
    for block, smallest in indefinite_blocks(family.blocks, correlation):
        grid = np.ix_(block.nuisances, block.nuisances)
        if combination.repair == "none":
            infeasible.append(f"{block.label} (smallest eigenvalue {plain(significant(smallest))})")
            continue
        repaired = repaired_correlation(correlation[grid], how=combination.repair)
        change = float(np.abs(repaired - correlation[grid]).max())
        repairs.append(Repair(block=block.label, how=combination.repair, smallest=smallest, change=change))
        correlation[grid] = repaired
    if infeasible:
        raise InfeasibleCorrelationError(infeasible_message(combination, infeasible))
    return correlation, tuple(repairs)


def indefinite_blocks(blocks: Iterable[NuisanceBlock], correlation: FloatArray) -> Iterator[tuple[NuisanceBlock, float]]:
    """Blocks of C that are not positive semidefinite, each with its smallest eigenvalue.

    Args:
        blocks: the blocks to check.
        correlation: C of all N nuisances; theory nuisances may follow.
    """
    for block in blocks:
        if len(block.nuisances) > 1:  # most nuisances of a real input are uncorrelated
            smallest = smallest_eigenvalue(correlation[np.ix_(block.nuisances, block.nuisances)])
            if smallest < -EIGENVALUE_TOLERANCE:
                yield block, smallest


def infeasible_message(combination: Combination, infeasible: list[str]) -> str:
    """Message that names the blocks and the remedies."""
    covariance = (
        ", use the treatment 'covariance' (only the total must be positive definite)" if combination.quadratic else ""
    )
    return (
        f"combination {combination.name!r}, assumption set {combination.assumptions!r}, treatment 'nuisance': not a "
        f"correlation matrix: {'; '.join(infeasible)}. Change the coefficients{covariance}, or ask for a repair: shift, "
        "clip or nearest (its effect is reported)"
    )


def repaired_correlation(matrix: FloatArray, *, how: RepairKind) -> FloatArray:
    """A correlation matrix made from a symmetric matrix of unit diagonal.

    Args:
        matrix: shape (n, n).
        how: ``shift`` adds a multiple of the unit matrix and scales back, so that all correlations shrink by one factor;
            ``clip`` sets negative eigenvalues to zero and scales the diagonal back to 1; ``nearest`` is the nearest
            correlation matrix in the Frobenius norm, see :func:`nearest_correlation`; ``none`` leaves it as it is.

    Examples:
        >>> import numpy as np
        >>> bad = np.array([[1, 0.9, 0.9], [0.9, 1, 0], [0.9, 0, 1]])
        >>> good = repaired_correlation(bad, how="nearest")
        >>> bool(np.linalg.eigvalsh(good)[0] > -1e-9), good.diagonal().tolist()
        (True, [1.0, 1.0, 1.0])
    """
    eigenvalues, vectors = np.linalg.eigh(matrix)
    match how:
        case "none":
            return matrix
        case "nearest":
            return nearest_correlation(matrix)
        case "shift":
            shift = max(0.0, -eigenvalues[0])
            return (matrix + shift * np.eye(len(matrix))) / (1 + shift)
        case "clip":
            return _with_unit_diagonal((vectors * np.maximum(eigenvalues, 0)) @ vectors.T)
    assert_never(how)


def nearest_correlation(matrix: FloatArray) -> FloatArray:
    """Nearest correlation matrix in the Frobenius norm, by Newton's method on the dual problem.

    The nearest one to A is the positive semidefinite part of A + diag(y) for the y that makes its diagonal 1, which
    minimises the convex |(A + diag(y))_+|^2 / 2 - sum(y) (Qi and Sun, SIAM J. Matrix Anal. Appl. 28 (2006) 360).

    Args:
        matrix: A, symmetric with unit diagonal, shape (n, n).

    Examples:
        >>> import numpy as np
        >>> nearest_correlation(np.array([[1.0, 1, -1], [1, 1, 1], [-1, 1, 1]])).round(6).tolist()
        [[1.0, 0.5, -0.5], [0.5, 1.0, 0.5], [-0.5, 0.5, 1.0]]
    """
    point = _dual_point(matrix, np.zeros(len(matrix)))
    for _ in range(NEWTON_STEPS):
        if np.abs(point.excess).max() < DIAGONAL_TOLERANCE:
            break
        step = -np.linalg.solve(_dual_curvature(point), point.excess)
        slope, share = point.excess @ step, 1.0
        while True:
            moved = _dual_point(matrix, point.shift + share * step)
            # The last steps change the dual by less than its rounding.
            if moved.value <= point.value + 1e-4 * share * slope + 1e-13 * abs(point.value) or share < 1e-6:
                break
            share /= 2
        point = moved
    return _with_unit_diagonal((point.vectors * np.maximum(point.eigenvalues, 0)) @ point.vectors.T)


def _with_unit_diagonal(matrix: FloatArray) -> FloatArray:
    scale = np.sqrt(np.diag(matrix))
    result: FloatArray = (matrix + matrix.T) / (2 * np.outer(scale, scale))
    np.fill_diagonal(result, 1.0)
    return result


@dataclass(frozen=True, kw_only=True)
class _DualPoint:
    """The dual problem at y: eigensystem of A + diag(y), diagonal of its positive part less 1, and value."""

    shift: FloatArray
    eigenvalues: FloatArray
    vectors: FloatArray
    excess: FloatArray
    value: float


def _dual_point(matrix: FloatArray, shift: FloatArray) -> _DualPoint:
    eigenvalues, vectors = np.linalg.eigh(matrix + np.diag(shift))
    positive = np.maximum(eigenvalues, 0)
    excess = vectors**2 @ positive - 1
    value = float(positive @ positive / 2 - shift.sum())
    return _DualPoint(shift=shift, eigenvalues=eigenvalues, vectors=vectors, excess=excess, value=value)


def _dual_curvature(point: _DualPoint) -> FloatArray:
    """Derivative of the excess by y, from that of the positive part of a matrix in its own basis (Loewner)."""
    eigenvalues, positive = point.eigenvalues, np.maximum(point.eigenvalues, 0)
    above = eigenvalues > 0
    share = np.where(above[:, None] & above, 1.0, 0.0)
    mixed = above[:, None] != above
    change, distance = positive[:, None] - positive, eigenvalues[:, None] - eigenvalues
    np.divide(change, distance, out=share, where=mixed)
    products = point.vectors[:, None, :] * point.vectors
    curvature: FloatArray = np.einsum("kli,ij,klj->kl", products, share, products, optimize=True)
    return curvature
