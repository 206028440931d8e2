r"""Reader of averagetools, S. Kluth's programs for averages.

::

    [Data]
    names  = Val1  Val2  Val3
    values = 171.5 173.1 174.5
    groups = a     a     a               # of which average; one for all where it is not given
    00stat = 0.3   0.33  0.4   u         # errors, and how they are correlated
    01jes  = 1.1   1.3   1.5   p
    02mc   = 1.0   0.8   1.2   f%        # of the values in percent
    03pdf  = 0.9   1.5   1.9   c
    [Covariances]
    03pdf  = 1 0.5 0.5  0.5 1 0.5  0.5 0.5 1
    [Globals]
    correlationfactor = 0.9

With errors e the covariance of two values is, by the letters: ``u`` 0, ``f`` :math:`e_i e_j`, ``a`` :math:`-e_i e_j`, ``p``
:math:`\min(e_i, e_j)^2`; ``gp`` the square of the smallest of all errors, ``gpr`` :math:`r^2 x_i x_j` with the smallest
relative error r; ``c`` a correlation of ``[Covariances]`` times :math:`e_i e_j`, with ``o`` at most that of ``p``; ``m``
one of the letters u, f, a, p, which ``[Covariances]`` gives for each pair.  A factor f in ``[Globals]`` makes
:math:`f \rho^2` of each correlation :math:`\rho`, which is what that program does.

Errors whose name holds ``stat`` are the statistical ones.  Digits that a name begins with order them and are left out.
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
# Letters beside these: percent, and multiplicative in that program's fit, which its linear average does not know.
BESIDE: Final = "%r"
AVERAGE: Final = "average"
STATISTICAL: Final = "stat"


@dataclass(frozen=True, kw_only=True)
class _Error:
    """An error of all n values.

    Attributes:
        where: its place.
        name: without the digits that order it.
        sizes: shape (n,).
        covariance: shape (n, n).
    """

    where: str
    name: str
    sizes: FloatArray
    covariance: FloatArray

    @property
    def correlation(self) -> FloatArray:
        """Of the values that it concerns; 0 with the others."""
        found = correlation_of(self.covariance)
        np.fill_diagonal(found, 1.0)
        return found


def read_averagetools(
    path: Path, *, groups: Mapping[str, str] | None = None, experiments: Mapping[str, str] | None = None
) -> Averaging:
    """What a file holds.

    Args:
        path: the file.
        groups: group of the file -> observable; by default the observable has the name of the group, and is ``average``
            where there is one.
        experiments: name of a value -> experiment, each one of its own by default.

    Raises:
        FileFormatError: a section or a key is missing, or a line has the wrong number of words.
        InvalidNumberError: a word is no number, an error is negative or nowhere above 0.
        InvalidMatrixError: correlations are none.
        OptionError: a letter is not known, or has a meaning that is not read.
        UnknownNameError, DuplicateNameError: a name is not known, or stands twice.

    Warns:
        InputWarning: a letter speaks of that program's fit, not of its linear average.
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
    if "groups" in data and len(set(labels)) == 1:
        labels = [AVERAGE] * len(names) if not groups else labels
    for label in groups or ():
        known_name(label, labels, kind="group", where=str(path))
    errors = [_error(key, entry, values, sections, path) for key, entry in data.items() if key not in NAMES]
    _distinct(errors)
    statistical = [e for e in errors if STATISTICAL in e.name]
    if not statistical:
        msg = f"{path}: no error whose name holds 'stat', the statistical one; name it so"
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
    # Values with common statistics are of one experiment.
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
            msg = f"{error.where}: error {error.name!r} found, which stands in {other.where} already; name one otherwise"
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
        what = f"{letters!r}, {found}, found, which is not read" if found else f"letters {letters!r} found"
        advice = "; state errors_on_errors in a model.toml" if "R" in kind else ""
        msg = f"{entry.where}: {what}; there is {', '.join(WHOLE)}, each perhaps with %{advice}"
        raise OptionError(msg)
    if "r" in letters.removeprefix("gpr"):
        warn_input(
            f"{entry.where}: 'r' says that the fit of that program multiplies; read as absolute, as its linear average"
        )
    sizes = _numbers(entry, words, n) * (np.abs(values) / 100 if "%" in letters else 1.0)
    if (sizes < 0).any() or not (sizes > 0).any():
        msg = f"{entry.where}: errors {', '.join(words)} found; errors are above 0, or 0 where they do not apply; correct it"
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
    """By the letters, shape (n, n)."""
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
        relative = sizes / np.abs(values) if kind == "gpr" else sizes
        if (sizes == 0).any():
            msg = f"{entry.where}: an error 0 found, of which {kind!r} makes a common part all the same; use 'p'"
            raise InvalidMatrixError(msg)
        least = relative.min() ** 2
        common = least * np.outer(values, values) if kind == "gpr" else np.full((n, n), least)
        return np.where(np.eye(n) > 0, np.diag(sizes**2), common)
    assert matrix is not None  # looked up for the letters that are left
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
            msg = f"{matrix.where}: letters that are not symmetric found; two values have one covariance"
            raise InvalidMatrixError(msg)
        return np.where(np.eye(n) > 0, products, found)
    correlation = check_correlation(_numbers(matrix, matrix.words, n * n).reshape(n, n), names=names, where=matrix.where)
    found = correlation * products
    if kind == "co":
        found = np.where(products > 0, np.minimum(found, by_letter["p"]), found)
    return found
