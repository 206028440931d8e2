"""``parameters`` and ``derived`` of ``model.toml``: reader beside writer.

::

    parameters = [{ name = "tau_s", unit = "ps" }, { name = "k", prior = { shape = "normal", mean = 1.0, sd = 0.02 } }]
    observables = [{ name = "Gamma_s", unit = "1/ps", formula = "k / tau_s" }]
    derived = [{ name = "R", formula = "Gamma_s / Gamma_d" }]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayescomb.base.checks import check_choice, located
from bayescomb.base.errors import FileFormatError
from bayescomb.formats.values import check_keys, check_table, entries, number, text
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.parameters import PARAMETER_SHAPES, PRIOR_NUMBERS, Parameter, ParameterPrior

__all__ = ["derived_tables", "parameter_tables", "read_derived", "read_parameters"]


def read_parameters(document: Mapping[str, Any], where: str) -> tuple[Parameter, ...]:
    """The parameters of a document, none if it states none.

    Raises:
        FileFormatError: a key is unknown or missing, or a value is of another kind; the other bayescomb errors for content.
    """
    found = []
    for place, entry in entries(document, "parameters", where=where) if "parameters" in document else []:
        check_table(entry, "parameters", where=place)
        values = {key: text(entry, key, where=place, default="") for key in ("name", "unit", "title")}
        start = number(entry, "start", where=place) if "start" in entry else None
        prior = _read_prior(entry["prior"], f"{place}.prior") if "prior" in entry else None
        with located(place):
            found.append(Parameter(**values, prior=prior, start=start))
    return tuple(found)


def _read_prior(entry: Any, where: str) -> ParameterPrior:
    if not isinstance(entry, dict):
        msg = f'{where}: {entry!r} found, a table is needed, as in {{ shape = "normal", mean = 0.118, sd = 0.001 }}'
        raise FileFormatError(msg)
    check_table(entry, "parameters.prior", where=where)
    with located(where):
        shape = check_choice(text(entry, "shape", where=where), PARAMETER_SHAPES, where="shape of a prior")
    needed = PRIOR_NUMBERS[shape]
    check_keys(entry, ("shape", *needed), required=("shape", *needed), where=where)
    with located(where):
        return ParameterPrior(shape=shape, **{key: number(entry, key, where=where) for key in needed})


def read_derived(document: Mapping[str, Any], where: str) -> tuple[Observable, ...]:
    """The derived quantities of a document, none if it states none.

    Raises:
        FileFormatError: a key is unknown or missing, or a value is no text.
    """
    found = []
    for place, entry in entries(document, "derived", where=where) if "derived" in document else []:
        keys = ("name", "unit", "title", "formula")
        check_table(entry, "derived", where=place)
        name, unit, title, formula = (text(entry, key, where=place, default="") for key in keys)
        found.append(Observable(name=name, unit=unit, title=title, formula=formula))
    return tuple(found)


def parameter_tables(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    """Entries from which the parameters are read again."""
    return [
        {
            "name": p.name,
            "unit": p.unit or None,
            "title": p.title or None,
            "prior": None if p.prior is None else {"shape": p.prior.shape, **p.prior.numbers},
            "start": p.start,
        }
        for p in parameters
    ]


def derived_tables(derived: Sequence[Observable]) -> list[dict[str, Any]]:
    """Entries from which the derived quantities are read again."""
    return [{"name": o.name, "unit": o.unit or None, "title": o.title or None, "formula": o.formula} for o in derived]
