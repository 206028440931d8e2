"""Result sets of HFLAV's combination-code, with their intercorrelations, as measurements, sources and blocks of the prior.

A file is ``{"ResultSetLabels": ["All", "All"], "IntercorrelationMaps": [{NAME: {"ictype": ..., "scale": ...}}, ...],
"ParameterEquivalenceLists": [[...], ...]}``.  It applies to every pair of result sets, or to the sets whose labels it lists.
For a systematic error that two sets have,

- ``DIAG`` correlates the same parameter (or parameters of one equivalence list) in both by ``scale`` (1 by default);
- ``FULL`` correlates every parameter of one with every parameter of the other by ``scale`` times the correlation
  that the two sets state for the pair.  ``strategy`` chooses from the two numbers: ``SQRT`` (default; the signed geometric
  mean, or the arithmetic mean if the signs differ), ``AVG``, ``MIN`` or ``MAX``.  A pair that only one set states is
  uncorrelated; with ``SETSQRT``, ``SETAVG``, ``SETMIN`` or ``SETMAX`` it takes the number of that set.

If two files name the same error, the later one counts.  Equivalence lists apply to the same sets as the maps of their file
(the program looks them up by the number of the file, which differs if a file has none or several).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, check_correlation_entry, known_name
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidMatrixError
from bayescomb.formats.averaging import Averaging
from bayescomb.formats.csv import number
from bayescomb.formats.hflav.result_sets import ResultSet, json_document, measurement_of, objects, read_result_sets
from bayescomb.formats.wildcards import matches
from bayescomb.inputs.assumptions import CorrelationBlock
from bayescomb.inputs.budget import nuisance_name
from bayescomb.inputs.combination import Combination

__all__ = ["IntercorrelationMap", "load_result_list", "prior_blocks", "read_averaging", "read_intercorrelations"]

KEYS: Final = ("ResultSetLabels", "IntercorrelationMaps", "ParameterEquivalenceLists")
EVERY: Final = "All"
DIAGONAL: Final = "DIAG"
FULL: Final = "FULL"
STRATEGIES: Final = ("SQRT", "AVG", "MIN", "MAX", "SETSQRT", "SETAVG", "SETMIN", "SETMAX")


def read_averaging(
    results: Sequence[Path],
    *,
    intercorrelations: Sequence[Path] = (),
    parameters: Sequence[str] | None = None,
    result_sets: Sequence[str] | None = None,
    experiments: Mapping[str, str] | None = None,
    asymmetric: bool = False,
) -> Averaging:
    """Read files of combination-code.

    Args:
        results: files of result sets.
        intercorrelations: files of intercorrelation maps.
        parameters: parameters to keep, all by default.
        result_sets: labels of the sets to keep, all by default.
        experiments: pattern of labels -> experiment; a set that no pattern matches is an experiment of its own.
        asymmetric: whether to read asymmetric errors of sets of one parameter, which need the treatment ``"nuisance"``.

    Raises:
        DuplicateNameError: a label is in two files.
        UnknownNameError: a parameter or a label to keep is in no file.
        FileFormatError: no result set is kept.
        Other bayescomb errors: as of :func:`read_result_sets` and :func:`read_intercorrelations`.
    """
    sets = [one for path in results for one in read_result_sets(path, asymmetric=asymmetric)]
    labels = [one.label for one in sets]
    for i, one in enumerate(sets):
        if one.label in labels[:i]:
            msg = f"{one.where}: a result set of this label is in another file already; every set needs its own label"
            raise DuplicateNameError(msg)
    where = " and ".join(map(str, results))
    for label in result_sets or ():
        known_name(label, labels, kind="result set", where=where)
    known = list(dict.fromkeys(p for one in sets for p in one.parameters))
    for parameter in parameters or ():
        known_name(parameter, known, kind="parameter", where=where)
    kept = known if parameters is None else list(parameters)
    sets = [one.only(kept) for one in sets if result_sets is None or one.label in result_sets]
    sets = [one for one in sets if one.parameters]
    if not sets:
        msg = f"{where}: no result set with any of the parameters {', '.join(kept)}; name others"
        raise FileFormatError(msg)
    maps = [read_intercorrelations(path, labels=labels) for path in intercorrelations]

    def experiment(label: str) -> str:
        return next((name for pattern, name in (experiments or {}).items() if matches(pattern, label)), label)

    return Averaging(
        measurements=tuple(measurement_of(one, experiment=experiment(one.label)) for one in sets),
        blocks=tuple(prior_blocks(sets, maps)),
        sources=tuple(dict.fromkeys(source for one in sets if one.total is None for source in one.systematics)),
        parameters=tuple(dict.fromkeys(p for one in sets for p in one.parameters)),
    )


def load_result_list(path: Path) -> Combination:
    """A combination of one file of result sets: every parameter is an observable, and the sets are uncorrelated.

    The covariances are summed as given, as combination-code does.

    Raises:
        BayescombError: as of :func:`read_averaging`.
    """
    return read_averaging([path]).combination(path)


@dataclass(frozen=True, kw_only=True)
class IntercorrelationMap:
    """One file of intercorrelations.

    Attributes:
        labels: labels of the result sets it applies to; empty if it applies to all.
        maps: systematic error -> ``ictype``, ``scale`` and ``strategy``.
        equivalent: lists of parameters that count as one.
    """

    labels: frozenset[str]
    maps: Mapping[str, tuple[str, float, str]]
    equivalent: tuple[frozenset[str], ...]


def read_intercorrelations(path: Path, *, labels: Sequence[str]) -> IntercorrelationMap:
    """The intercorrelations of a file.

    Args:
        path: a JSON file.
        labels: labels of all result sets.

    Raises:
        FileFormatError: a key is missing or its value has another form.
        UnknownNameError: no result set has a listed label.
        OptionError: ``ictype`` or ``strategy`` is not known.
        InvalidMatrixError: a scale is beyond 1.
    """
    document = json_document(path, required=KEYS)
    spoken = document["ResultSetLabels"]
    if not isinstance(spoken, list) or len(spoken) < 2 or not all(isinstance(s, str) for s in spoken):
        msg = f'{path}: ResultSetLabels = {spoken!r} found, two labels or more are needed, or ["{EVERY}", "{EVERY}"]'
        raise FileFormatError(msg)
    everything = set(spoken) == {EVERY}
    for label in () if everything else spoken:
        known_name(label, labels, kind="result set", where=f"{path}: ResultSetLabels")
    maps: dict[str, tuple[str, float, str]] = {}
    for entry in objects(document, "IntercorrelationMaps", where=str(path)):
        for name, value in entry.items():
            maps[name] = _map(value, f"{path}: {name!r}")
    given = document["ParameterEquivalenceLists"]
    lists = [found for found in given if found] if isinstance(given, list) else given  # a file without lists has [""]
    if not isinstance(lists, list) or not all(isinstance(found, list) for found in lists):
        msg = f"{path}: ParameterEquivalenceLists = {lists!r} found, a list of lists of parameters is needed"
        raise FileFormatError(msg)
    return IntercorrelationMap(
        labels=frozenset(() if everything else spoken),
        maps=maps,
        equivalent=tuple(frozenset(map(str, found)) for found in lists),
    )


def _map(value: Any, where: str) -> tuple[str, float, str]:
    if not isinstance(value, dict) or "ictype" not in value:
        msg = f'{where}: {value!r} found, an object is needed, as in {{"ictype": "{DIAGONAL}", "scale": 1.0}}'
        raise FileFormatError(msg)
    kind = check_choice(value["ictype"], (DIAGONAL, FULL), where=f"{where}, ictype")
    scale = check_correlation_entry(number(value.get("scale", 1.0), where=f"{where}, scale"), where=f"{where}, scale")
    return kind, scale, check_choice(value.get("strategy", STRATEGIES[0]), STRATEGIES, where=f"{where}, strategy")


def prior_blocks(sets: Sequence[ResultSet], maps: Sequence[IntercorrelationMap]) -> list[CorrelationBlock]:
    """One block per systematic error: the matrices of the sets on the diagonal, the intercorrelations beside them.

    Args:
        sets: the result sets.
        maps: the intercorrelations, in the order of their files.

    Raises:
        InvalidMatrixError: a map correlates a set that states only total correlations.
    """
    blocks = []
    for source in dict.fromkeys(name for s in sets for name in s.systematics):
        having = [s for s in sets if source in s.systematics]
        starts = np.cumsum([0, *(len(s.parameters) for s in having)])
        correlation = np.zeros((starts[-1], starts[-1]))
        for i, one in enumerate(having):
            at = slice(starts[i], starts[i + 1])
            correlation[at, at] = one.systematics[source][1]
        for (i, first), (j, second) in itertools.combinations(enumerate(having), 2):
            between = _between(source, first, second, maps)
            if between.any():
                for one in (s for s in (first, second) if s.total is not None):
                    msg = (
                        f"{one.where}: only the correlations of the total errors are stated, so that {source!r} "
                        "cannot be correlated with another result set; give a matrix for each error, or remove the map"
                    )
                    raise InvalidMatrixError(msg)
            correlation[starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = between
            correlation[starts[j] : starts[j + 1], starts[i] : starts[i + 1]] = between.T
        split = [i for i, s in enumerate(having) if s.total is None]
        keep = [k for i in split for k in range(starts[i], starts[i + 1])]
        if len(keep) > 1:
            names = [nuisance_name(source, having[i].estimate(p)) for i in split for p in having[i].parameters]
            blocks.append(CorrelationBlock(name=source, nuisances=tuple(names), correlation=correlation[np.ix_(keep, keep)]))
    return blocks


def _between(source: str, first: ResultSet, second: ResultSet, maps: Sequence[IntercorrelationMap]) -> FloatArray:
    """Correlations of one systematic error between two sets, shape (n, m)."""
    result = np.zeros((len(first.parameters), len(second.parameters)))
    speaking = [m for m in maps if not m.labels or {first.label, second.label} <= m.labels]
    found = next((m.maps[source] for m in reversed(speaking) if source in m.maps), None)
    if found is None:
        return result
    kind, scale, strategy = found
    lists = [e for m in speaking for e in m.equivalent]
    for i, p in enumerate(first.parameters):
        for j, q in enumerate(second.parameters):
            if kind == DIAGONAL:
                result[i, j] = scale if p == q or any(p in e and q in e for e in lists) else 0.0
            else:
                inside = [_inside(s, source, p, q, lists) for s in (first, second)]
                result[i, j] = scale * _chosen(inside, strategy)
    return result


def _inside(one: ResultSet, source: str, p: str, q: str, lists: Sequence[frozenset[str]]) -> float | None:
    """Correlation of two parameters, or of equivalent ones, that a set states; ``None`` if it does not."""
    matrix = one.systematics[source][1]

    def position(name: str) -> int | None:
        if name in one.parameters:
            return one.parameters.index(name)
        others = [other for e in lists if name in e for other in one.parameters if other in e]
        return one.parameters.index(others[0]) if others else None

    i, j = position(p), position(q)
    return None if i is None or j is None else float(matrix[i, j])


def _chosen(inside: Sequence[float | None], strategy: str) -> float:
    """The correlation by the strategy of the map, from those that the two sets state."""
    known = [c for c in inside if c is not None]
    rule = strategy.removeprefix("SET")
    if len(known) < 2:
        return known[0] if known and strategy != rule else 0.0
    first, second = known
    if rule == "MIN":
        return min(second, first, key=abs)
    if rule == "MAX":
        return max(first, second, key=abs)
    if rule == "SQRT" and np.sign(first) == np.sign(second):
        return math.copysign(math.sqrt(first * second), first)
    return (first + second) / 2
