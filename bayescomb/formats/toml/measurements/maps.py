"""Maps by name in ``[[measurements]]`` of ``model.toml``: from an estimate to observables, from nuisances to sources.

Any entry of ``[[measurements]]`` can state the sources of its nuisances by patterns::

    sources = { "CMS_scale_j_*" = "jet energy scale", "CMS_norm_tt0jet" = "modelling", "CMS_norm_*" = "background" }

The patterns are those of a shell (``*``, ``?``, ``[abc]``; capitals count).  The first pattern that matches a nuisance gives
its source, so an exception stands before its rule.  A source that ``nuisances`` states has precedence over all patterns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from bayescomb.base.checks import known_name
from bayescomb.base.errors import FileFormatError, UnknownNameError
from bayescomb.formats.csv import number
from bayescomb.formats.values import named_values, text
from bayescomb.inputs.measurements import Measurement, Nuisance

__all__ = ["assign_sources", "read_factors", "read_observables"]


def read_factors(factors: Any, *, where: str, observables: Collection[str]) -> dict[str, float]:
    """Coefficients of the observables in the prediction of an estimate, from a TOML table.

    Args:
        factors: the value of the key, of any type.
        where: the key, for messages.
        observables: known observables.

    Raises:
        FileFormatError: the value is not a table.
        UnknownNameError: an observable is not known.
        InvalidNumberError: a coefficient is not a finite number.
    """
    if not isinstance(factors, dict):
        msg = f"{where}: {factors!r} found, a table of factors is needed, as in {{ bin1 = 1.0, bin2 = 1.0 }}"
        raise FileFormatError(msg)
    for name in factors:
        known_name(name, observables, kind="observable", where=where)
    return {name: number(factor, where=f"{where}.{name}") for name, factor in factors.items()}


def read_observables(stated: Any, *, where: str, observables: Collection[str]) -> dict[str, float]:
    """Coefficients of the observables, from the name of one observable with coefficient 1 or from a table.

    Raises:
        FileFormatError, UnknownNameError, InvalidNumberError: as :func:`read_factors`.
    """
    if isinstance(stated, str):
        return {known_name(stated, observables, kind="observable", where=where): 1.0}
    if not isinstance(stated, dict):
        msg = f'{where}: {stated!r} found, allowed: "NAME" of an observable, or factors as in {{ bin1 = 1.0, bin2 = 1.0 }}'
        raise FileFormatError(msg)
    return read_factors(stated, where=where, observables=observables)


def assign_sources(
    measurement: Measurement, entry: Mapping[str, Any], place: str, *, sources: Collection[str]
) -> Measurement:
    """The measurement with the sources that the key ``sources`` of its entry gives to nuisances without a source.

    Args:
        measurement: the measurement from the other keys.
        entry: its TOML table; without the key the measurement is unchanged.
        place: place of the entry, for messages.
        sources: known sources.

    Raises:
        FileFormatError: the value is not a table of texts, or all nuisances that a pattern matches have a source already.
        UnknownNameError: a source is not known, or a pattern matches no nuisance.
    """
    if "sources" not in entry:
        return measurement
    where = f"{place}.sources"
    patterns = named_values(entry, "sources", where=place, example='{ "jes_*" = "JES" }')
    found = {n.name: n.source for n in measurement.all_nuisances}
    for pattern in patterns:
        source = text(patterns, pattern, where=where)
        known_name(source, sources, kind="source", where=f"{where}[{pattern!r}]")
        matched = [name for name in found if fnmatchcase(name, pattern)]
        if not matched:
            msg = f"{where}: pattern {pattern!r} matches no nuisance of the measurement{_examples(found)}; correct it"
            raise UnknownNameError(msg)
        undecided = [name for name in matched if not found[name]]
        if not undecided:
            msg = (
                f"{where}: pattern {pattern!r} matches only what an earlier pattern or 'nuisances' has given a source"
                f"{_examples(matched)}; put it before that pattern, or remove it"
            )
            raise FileFormatError(msg)
        found |= dict.fromkeys(undecided, source)

    def sourced(nuisances: Collection[Nuisance]) -> tuple[Nuisance, ...]:
        return tuple(dataclasses.replace(n, source=found[n.name]) for n in nuisances)

    fit = measurement.fit
    return dataclasses.replace(
        measurement,
        nuisances=sourced(measurement.nuisances),
        fit=None if fit is None else dataclasses.replace(fit, nuisances=sourced(fit.nuisances)),
    )


def _examples(names: Collection[str], limit: int = 5) -> str:
    """The first few names in parentheses, empty without names."""
    listed = list(names)
    return f" ({', '.join(map(repr, listed[:limit]))}{', ...' if len(listed) > limit else ''})" if listed else ""
