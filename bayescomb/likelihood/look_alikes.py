"""Nuisances of different inputs with similar names and no stated correlation: an omission that no result shows.

Names are compared without ``alpha_``, ``syst``, the names of experiment and measurement, underscores and capitals.  Two are
alike if the remaining words are the same, if one is the beginning of the other (``lumi`` and ``luminosity_2016``), or if one
or two letters of a word differ.  Names with different numbers are taken as different on purpose.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bayescomb.inputs.combination import Combination

__all__ = ["LookAlike", "edit_distance", "look_alikes"]

WORDS: Final = re.compile(r"\d+(?:[p.]\d+)?_?TeV|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Words that do not distinguish nuisances; the second list at the beginning of a name only.
EMPTY: Final = frozenset({"np", "nuis", "nuisance", "sys", "syst", "systematic", "unc", "uncertainty"})
HEADS: Final = frozenset({"alpha", "theta", "fit"})
# Least number of letters of a common stem, of a word cut short in it, and of words in which one and two letters may differ.
BEGINNING, PART, ONE_LETTER, TWO_LETTERS = 3, 4, 4, 9
# Numbers from here on are years.  Smaller ones count members of a series, to which no name without a number belongs.
YEARS: Final = 100


@dataclass(frozen=True, kw_only=True)
class LookAlike:
    """Two nuisances that may be one.

    Attributes:
        first, second: their names.
        measurements: those that have them, in that order.
        why: ``"same words"``, ``"common stem"``, or how many letters differ.
    """

    first: str
    second: str
    measurements: tuple[str, str]
    why: str


@dataclass(frozen=True, kw_only=True)
class _Name:
    name: str
    measurement: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def letters(self) -> str:
        return "".join(self.words)

    @property
    def counts(self) -> bool:
        """Whether it is a member of a series."""
        return any(number.isdigit() and int(number) < YEARS for number in self.numbers)


def look_alikes(combination: Combination, related: Collection[frozenset[str]]) -> tuple[LookAlike, ...]:
    """Pairs of nuisances of different measurements with similar names and no stated correlation.

    Names that a reader made of a source and an estimate, or of a measurement and a number, are not compared.

    Args:
        combination: the model.
        related: pairs of names whose correlation the assumption set in force states.

    Examples:
        >>> import bayescomb as bc
        >>> fits = [
        ...     bc.Measurement.from_fit(name, values=[1.0, 0.0], covariance=[[1.0, 0.2], [0.2, 1.0]],
        ...         parameters=["x", jes], results=["x"])
        ...     for name, jes in (("North", "alpha_JES"), ("South", "South_jes"))
        ... ]
        >>> [(pair.first, pair.second, pair.why) for pair in bc.check(bc.combine(fits)).look_alikes]
        [('alpha_JES', 'South_jes', 'same words')]
    """
    names = list(_names(combination))
    found = []
    for one, other in itertools.combinations(names, 2):
        why = _why(one, other) if one.measurement != other.measurement else ""
        if why and frozenset((one.name, other.name)) not in related:
            found.append(
                LookAlike(first=one.name, second=other.name, measurements=(one.measurement, other.measurement), why=why)
            )
    return tuple(found)


def _names(combination: Combination) -> Iterator[_Name]:
    """The names that the authors of inputs chose, without the words of their origin."""
    for m in combination.measurements:
        own = {word.lower() for word in (*_words(m.name), *_words(m.experiment))}
        for n in m.all_nuisances:
            if (
                n.statistical
                or (n.source and n.name.startswith(f"{n.source}["))
                or re.fullmatch(rf"{re.escape(m.name)}_syst\d+", n.name)
            ):
                continue
            words = [w.lower() for w in _words(n.name)]
            kept = [w for w in words if w not in EMPTY and w not in own]
            kept = kept[1:] if kept and kept[0] in HEADS and len(kept) > 1 else kept or words
            plain = tuple(w for w in kept if not w[0].isdigit())
            if plain:
                numbers = tuple(w for w in kept if w[0].isdigit())
                yield _Name(name=n.name, measurement=m.name, words=plain, numbers=numbers)


def _words(name: str) -> Sequence[str]:
    return WORDS.findall(name)


def _why(one: _Name, other: _Name) -> str:
    if one.numbers and other.numbers and one.numbers != other.numbers:
        return ""
    if one.letters == other.letters:
        return "same words"
    if one.numbers != other.numbers and (one.counts or other.counts):
        return ""
    short, long = sorted((one.words, other.words), key=lambda words: (len(words), len("".join(words))))
    last = len(short) - 1
    begins = short[:last] == long[:last] and long[last].startswith(short[last])
    if begins and (short[last] == long[last] or len(short[last]) >= PART) and len("".join(short)) >= BEGINNING:
        return "common stem"
    differ = [pair for pair in zip(short, long, strict=False) if pair[0] != pair[1]]
    if len(short) != len(long) or len(differ) != 1:
        return ""
    first, second = differ[0]
    size = min(len(first), len(second))
    allowed = (size >= ONE_LETTER) + (size >= TWO_LETTERS)
    if abs(len(first) - len(second)) > allowed:
        return ""
    distance = edit_distance(first, second)
    return f"{distance} letter{'s' * (distance > 1)} differ{'s' * (distance == 1)}" if distance <= allowed else ""


def edit_distance(first: str, second: str) -> int:
    """Smallest number of letters to add, to drop, to replace or to swap with the next (optimal string alignment).

    Examples:
        >>> edit_distance("lumi", "luim"), edit_distance("btag", "btagg")
        (1, 1)
    """
    before, row = list[int](), list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(second, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and b == first[i - 2]:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]
