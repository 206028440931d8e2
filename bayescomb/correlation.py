"""The prior correlation of the nuisances as a function of the coefficients: C(r) = C_0 + sum_c r_c E_c.

C is affine in the coefficients, which is what makes its feasible set convex and every projection of it cheap.  It may be
singular or indefinite; nothing here or elsewhere inverts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bayescomb.assumptions import CorrelationCoefficient
from bayescomb.checks import check_finite, known_name
from bayescomb.errors import OptionError
from bayescomb.inputs import Combination
from bayescomb.measurements import Nuisance

__all__ = ["CorrelationFamily", "NuisanceBlock", "correlation_family"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


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
    def nominal(self) -> FloatArray:
        """Nominal coefficients, shape (K,)."""
        return np.array([c.nominal for c in self.coefficients], dtype=float)

    def vector(self, coefficients: ArrayLike | Mapping[str, float] | None) -> FloatArray:
        """Coefficients in the order of the family, shape (K,): of a mapping by name the others are nominal.

        Raises:
            UnknownNameError: a name is not that of a coefficient.
            OptionError: there are not K of them.
            InvalidNumberError: one is no finite number.
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

    def block_matrices(self, block: NuisanceBlock) -> tuple[FloatArray, FloatArray]:
        """Base (n, n) and patterns (k, n, n) of one block, over its own nuisances and coefficients."""
        grid = np.ix_(block.nuisances, block.nuisances)
        patterns = [self.pattern(int(c))[grid] for c in block.coefficients]
        n = len(block.nuisances)
        return self.base[grid], np.array(patterns).reshape(len(patterns), n, n)


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
    """Connected components of the pair graph; a pair counts whatever its coefficient's value is."""
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
    """The sources of a block; its ends too where a source falls into several blocks."""
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
