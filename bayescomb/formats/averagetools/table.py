r"""Reader of averagetools, S. Kluth's programs for averages.

::

    [Data]
    names  = Val1  Val2  Val3
    values = 171.5 173.1 174.5
    groups = a     a     a               # the average of each value; without this key there is one
    00stat = 0.3   0.33  0.4   u         # errors, and the letter of their correlation
    01jes  = 1.1   1.3   1.5   p
    02mc   = 1.0   0.8   1.2   f%        # in percent of the values
    03pdf  = 0.9   1.5   1.9   c
    [Covariances]
    03pdf  = 1 0.5 0.5  0.5 1 0.5  0.5 0.5 1
    [Globals]
    correlationfactor = 0.9

With errors e the covariance of two values is, by the letters: ``u`` 0, ``f`` :math:`e_i e_j`, ``a`` :math:`-e_i e_j`, ``p``
:math:`\min(e_i, e_j)^2`; ``gp`` the square of the smallest of all errors, ``gpr`` :math:`r^2 x_i x_j` with the smallest
relative error r, of the values other than 0; ``c`` a correlation of ``[Covariances]`` times :math:`e_i e_j`, ``co`` the same
but at most that of ``p``; ``m`` one of the letters u, f, a, p, which ``[Covariances]`` gives for each pair.  A factor f in
``[Globals]`` replaces each correlation :math:`\rho` by :math:`f \rho^2`, as that program does.

Errors whose name holds ``stat`` are the statistical ones.  Digits at the beginning of a name only order the errors and are
left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_correlation, check_names, known_name
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidMatrixError,
    InvalidNumberError,
    OptionError,
    UnknownNameError,
    warn_input,
)
from bayescomb.base.numerics import correlation_of
from bayescomb.formats.averagetools.sections import Entry, read_sections
from bayescomb.formats.averaging import Averaging
from bayescomb.formats.csv import number
from bayescomb.inputs.assumptions import CorrelationBlock
from bayescomb.inputs.budget import BudgetRow, budget_of, nuisance_name

__all__ = ["read_averagetools"]

NAMES: Final = ("names", "values", "groups")
PAIRS: Final = ("u", "f", "a", "p")
WHOLE: Final = (*PAIRS, "gp", "gpr", "c", "co", "m")
# Letters that may follow: percent, and a multiplicative error in that program's fit, which its linear average ignores.
BESIDE: Final = "%r"
AVERAGE: Final = "average"
STATISTICAL: Final = "stat"


@dataclass(frozen=True, kw_only=True)
class _Error:
    """An error of all n values.

    Attributes:
        where: the line of the error.
        name: name without the digits at its beginning.
        sizes: shape (n,).
        covariance: shape (n, n).
    """

    where: str
    name: str
    sizes: FloatArray
    covariance: FloatArray

    @property
    def correlation(self) -> FloatArray:
        """Correlation matrix, shape (n, n); 0 between a value that has no such error and the others."""
        found = correlation_of(self.covariance)
        np.fill_diagonal(found, 1.0)
        return found


def read_averagetools(
    path: Path, *, groups: Mapping[str, str] | None = None, experiments: Mapping[str, str] | None = None
) -> Averaging:
    """Read a file of averagetools.

    Args:
        path: the file.
        groups: group of the file -> observable; by default an observable has the name of its group, and a single one is
            called ``average``.
        experiments: name of a value -> experiment; by default each value is an experiment of its own.

    Raises:
        FileFormatError: a section or a key is missing, or a line has the wrong number of words.
        InvalidNumberError: a word is no number, or an error is negative, or 0 for every value.
        InvalidMatrixError: a matrix of correlations is not valid.
        OptionError: a letter is not known, or its meaning is not supported.
        UnknownNameError, DuplicateNameError: a name is not known, or stands twice.

    Warns:
        InputWarning: a letter concerns that program's fit, not its linear average.
    """
    sections = read_sections(path)
    data = _section(sections, "Data", path)
    for key in NAMES[:2]:
        if key not in data:
            msg = f"{path}: section [Data] has no key {key!r}; add it"
            raise FileFormatError(msg)
    names = list(data["names"].words)
    check_names(names, where=f"{data['names'].where}: names")
    values = _numbers(data["values"], data["values"].words, len(names))
    labels = list(data["groups"].words) if "groups" in data else [AVERAGE] * len(names)
    if len(labels) != len(names):
        msg = f"{data['groups'].where}: {len(labels)} groups found for {len(names)} names; give one for each"
        raise FileFormatError(msg)
    if len(set(labels)) == 1 and not groups:
        labels = [AVERAGE] * len(names)
    for label in groups or ():
        known_name(label, labels, kind="group", where=str(path))
    errors = [_error(key, entry, values, sections, path) for key, entry in data.items() if key not in NAMES]
    _distinct(errors)
    statistical = [e for e in errors if STATISTICAL in e.name]
    if not statistical:
        msg = f"{path}: no error whose name holds 'stat'; name the statistical error so"
        raise FileFormatError(msg)
    observables = [(groups or {}).get(label, label) for label in labels]
    others = [e for e in errors if STATISTICAL not in e.name]
    return _averaging(names, values, observables, statistical, others, experiments or {})


def _averaging(
    names: Sequence[str],
    values: FloatArray,
    observables: Sequence[str],
    statistical: Sequence[_Error],
    others: Sequence[_Error],
    experiments: Mapping[str, str],
) -> Averaging:
    covariance = sum((e.covariance for e in statistical), np.zeros((len(names), len(names))))
    sizes = np.sqrt(np.diag(covariance))
    joined = (covariance - np.diag(np.diag(covariance))).any(axis=1)
    where = statistical[0].where
    # Values with correlated statistical errors belong to one experiment.
    together = " + ".join(n for n, own in zip(names, joined, strict=True) if own)
    rows = [
        BudgetRow(
            where=f"{where}, value {name!r}",
            estimate=name,
            experiment=experiments.get(name, together if own else name),
            observable=observable,
            value=float(value),
            stat=float(size),
            sizes={e.name: float(e.sizes[i]) for e in others},
        )
        for i, (name, value, observable, size, own) in enumerate(zip(names, values, observables, sizes, joined, strict=True))
    ]
    parameters = tuple(sorted(set(observables)))
    budget = budget_of(
        rows,
        observables=parameters,
        sources=[e.name for e in others],
        statistical_correlation=correlation_of(covariance),
    )
    blocks = [
        CorrelationBlock(
            name=e.name, nuisances=tuple(nuisance_name(e.name, name) for name in names), correlation=e.correlation
        )
        for e in others
        if (e.correlation != np.eye(len(names))).any()
    ]
    return Averaging(
        measurements=budget.measurements,
        blocks=tuple(blocks),
        sources=tuple(e.name for e in others),
        parameters=parameters,
    )


def _section(sections: Mapping[str, Mapping[str, Entry]], name: str, path: Path) -> Mapping[str, Entry]:
    if name not in sections:
        msg = f"{path}: no section [{name}]; found {', '.join(f'[{s}]' for s in sections) or 'none'}; add it"
        raise FileFormatError(msg)
    return sections[name]


def _distinct(errors: Sequence[_Error]) -> None:
    for i, error in enumerate(errors):
        other = next((e for e in errors[:i] if e.name == error.name), None)
        if other is not None:
            msg = f"{error.where}: error {error.name!r} found, which stands in {other.where} already; rename one"
            raise DuplicateNameError(msg)


def _numbers(entry: Entry, words: Sequence[str], n: int) -> FloatArray:
    if len(words) != n:
        msg = f"{entry.where}: {len(words)} numbers found, {n} are needed"
        raise FileFormatError(msg)
    return np.array([number(word, where=entry.where) for word in words])


def _error(key: str, entry: Entry, values: FloatArray, sections: Mapping[str, Mapping[str, Entry]], path: Path) -> _Error:
    """One line of errors and its letters."""
    n = len(values)
    if len(entry.words) != n + 1:
        msg = f"{entry.where}: {len(entry.words)} words found, {n} errors and the letters of their correlation are needed"
        raise FileFormatError(msg)
    *words, letters = entry.words
    kind = "".join(letter for letter in letters if letter not in BESIDE)
    kind = "gpr" if letters.startswith("gpr") else kind
    if kind not in WHOLE:
        found = "an error on the error (R)" if "R" in kind else "errors scaled to the average (q)" if "q" in kind else ""
        what = f"{letters!r}, {found}, found, which is not supported" if found else f"letters {letters!r} found"
        advice = "; state errors_on_errors in a model.toml" if "R" in kind else ""
        msg = f"{entry.where}: {what}; allowed: {', '.join(WHOLE)}, each with or without %{advice}"
        raise OptionError(msg)
    if "r" in letters.removeprefix("gpr"):
        warn_input(
            f"{entry.where}: 'r' is multiplicative in the fit of that program; read as absolute, as in its linear average"
        )
    sizes = _numbers(entry, words, n) * (np.abs(values) / 100 if "%" in letters else 1.0)
    if (sizes < 0).any() or not (sizes > 0).any():
        msg = (
            f"{entry.where}: errors {', '.join(words)} found; an error is above 0, or 0 where it does not apply; correct it"
        )
        raise InvalidNumberError(msg)
    matrix = None
    if kind[0] in "cm":
        matrix = _section(sections, "Covariances", path).get(key)
        if matrix is None:
            msg = f"{entry.where}: letters {letters!r} found, but no key {key!r} in [Covariances]; add its {n} x {n} entries"
            raise FileFormatError(msg)
    covariance = _covariance(kind, sizes, values, sections["Data"]["names"].words, entry, matrix)
    factor = sections.get("Globals", {}).get("correlationfactor")
    if factor is not None:
        squared = covariance * correlation_of(covariance) * _numbers(factor, factor.words, 1)[0]
        np.fill_diagonal(squared, np.diag(covariance))
        covariance = squared
    name = key.lstrip("0123456789") or key
    return _Error(where=entry.where, name=name, sizes=sizes, covariance=covariance)


def _covariance(
    kind: str, sizes: FloatArray, values: FloatArray, names: Sequence[str], entry: Entry, matrix: Entry | None
) -> FloatArray:
    """Covariance of an error by its letters, shape (n, n)."""
    n = len(sizes)
    products = np.outer(sizes, sizes)
    by_letter = {
        "u": np.diag(sizes**2),
        "f": products,
        "a": np.where(np.eye(n) > 0, products, -products),
        "p": np.minimum.outer(sizes, sizes) ** 2,
    }
    if kind in by_letter:
        return by_letter[kind]
    if kind in ("gp", "gpr"):
        scale = values if kind == "gpr" else np.ones(n)  # of the errors, whose smallest ratio to it is common
        if (sizes == 0).any():
            msg = f"{entry.where}: an error 0 found, for which {kind!r} has no common part; use 'p'"
            raise InvalidMatrixError(msg)
        if not scale.any():
            msg = f"{entry.where}: letters 'gpr' found, but all values are 0 and have no relative error; use 'gp'"
            raise InvalidMatrixError(msg)
        least = (sizes[scale != 0] / np.abs(scale[scale != 0])).min() ** 2
        common = least * np.outer(scale, scale)
        return np.where(np.eye(n) > 0, np.diag(sizes**2), common)
    assert matrix is not None  # the remaining letters have one
    if len(matrix.words) != n * n:
        msg = f"{matrix.where}: {len(matrix.words)} entries found, {n} x {n} are needed"
        raise FileFormatError(msg)
    if kind == "m":
        for word in matrix.words:
            if word not in PAIRS:
                msg = f"{matrix.where}: {word!r} found, one of {', '.join(PAIRS)} is needed for each pair"
                raise UnknownNameError(msg)
        letters = np.array(matrix.words).reshape(n, n)
        found = np.choose([[PAIRS.index(str(w)) for w in row] for row in letters], [by_letter[w] for w in PAIRS])
        if not np.allclose(found, found.T):
            msg = f"{matrix.where}: letters that are not symmetric found; give each pair of values one letter"
            raise InvalidMatrixError(msg)
        return np.where(np.eye(n) > 0, products, found)
    correlation = check_correlation(_numbers(matrix, matrix.words, n * n).reshape(n, n), names=names, where=matrix.where)
    found = correlation * products
    if kind == "co":
        found = np.where(products > 0, np.minimum(found, by_letter["p"]), found)
    return found
