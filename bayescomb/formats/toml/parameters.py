"""Reader and writer of ``parameters``, ``derived`` and ``curves`` in ``model.toml``.

::

    parameters = [{ name = "tau_s", unit = "ps" }, { name = "k", prior = { shape = "normal", mean = 1.0, sd = 0.02 } }]
    observables = [{ name = "Gamma_s", unit = "1/ps", formula = "k / tau_s" }]
    derived = [{ name = "R", formula = "Gamma_s / Gamma_d" }]
    curves = [{ name = "sigma_th", table = "sigma.csv", x = "m_t_gev", y = "xsec_pb", rows = { member = "0" } }]

A curve is read from two columns of a CSV table, of all rows or of those with given cells, or from two lists of numbers.  It
is written as lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescomb.base.checks import check_choice, located
from bayescomb.base.choices import BEYOND_ENDS, CURVE_KINDS
from bayescomb.base.errors import FileFormatError, InvalidNumberError
from bayescomb.formats.csv import Row, read_table
from bayescomb.formats.csv import number as cell_number
from bayescomb.formats.toml.text import stated
from bayescomb.formats.values import check_keys, check_table, entries, named_values, number, records, text
from bayescomb.inputs.formulas import Curve
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.parameters import PARAMETER_SHAPES, PRIOR_NUMBERS, Parameter, ParameterPrior

__all__ = ["curve_tables", "derived_tables", "parameter_tables", "read_curves", "read_derived", "read_parameters"]


def read_parameters(document: Mapping[str, Any], where: str) -> tuple[Parameter, ...]:
    """The parameters of a document.

    Raises:
        FileFormatError: a key is missing, or a value has the wrong type; the other bayescomb errors for wrong content.
    """
    found = []
    for place, entry, values in records(document, "parameters", where=where):
        start = number(entry, "start", where=place) if "start" in entry else None
        prior = _read_prior(entry, place) if "prior" in entry else None
        with located(place):
            found.append(Parameter(**values, prior=prior, start=start))
    return tuple(found)


def _read_prior(parameter: Mapping[str, Any], place: str) -> ParameterPrior:
    entry = named_values(parameter, "prior", where=place, example='{ shape = "normal", mean = 0.118, sd = 0.001 }')
    where = f"{place}.prior"
    check_table(entry, "parameters.prior", where=where)
    with located(where):
        shape = check_choice(text(entry, "shape", where=where), PARAMETER_SHAPES, where="shape of a prior")
    needed = PRIOR_NUMBERS[shape]
    check_keys(entry, ("shape", *needed), required=("shape", *needed), where=where)
    with located(where):
        return ParameterPrior(shape=shape, **{key: number(entry, key, where=where) for key in needed})


def read_derived(document: Mapping[str, Any], where: str) -> tuple[Observable, ...]:
    """The derived quantities of a document.

    Raises:
        FileFormatError: a key is missing, or a value is not a text.
        UnknownNameError: a key is not known.
    """
    return tuple(Observable(**values, spectator=False) for _, _, values in records(document, "derived", where=where))


def read_curves(document: Mapping[str, Any], path: Path) -> tuple[Curve, ...]:
    """The curves of a document.

    Args:
        document: the TOML document.
        path: its file; tables are looked for beside it.

    Raises:
        FileFormatError: a key is missing, or a value has the wrong type; the other bayescomb errors for wrong content.
    """
    found = []
    for place, entry in entries(document, "curves", where=str(path), declared="curves"):
        texts = {key: text(entry, key, where=place, default="") for key in ("name", "argument_unit", "unit", "title")}
        degree = entry.get("degree")
        if "table" in entry:
            x, y = _columns(entry, path.parent / text(entry, "table", where=place), place)
        else:
            if "rows" in entry:
                msg = f"{place}: rows found without a table from which they are chosen; give the table, or leave rows out"
                raise FileFormatError(msg)
            x, y = (_numbers(entry, key, place) for key in ("x", "y"))
        with located(place):
            kind = text(entry, "kind", where=place, default="cubic" if degree is None else "polynomial")
            beyond = text(entry, "beyond", where=place, default="nothing")
            found.append(
                Curve(
                    **texts,
                    x=x,
                    y=y,
                    kind=check_choice(kind, CURVE_KINDS, where="kind of a curve"),
                    degree=degree,
                    beyond=check_choice(beyond, BEYOND_ENDS, where="what lies beyond the ends of a curve"),
                )
            )
    return tuple(found)


def _numbers(entry: Mapping[str, Any], key: str, place: str) -> tuple[float, ...]:
    """A list of numbers."""
    values = entry[key]
    if not isinstance(values, list):
        msg = f"{place}: {key} = {values!r} found without a table; give a list of numbers, or the table with this column"
        raise FileFormatError(msg)
    return tuple(cell_number(value, where=f"{place}: {key}[{i}]", lenient=True) for i, value in enumerate(values))


def _columns(entry: Mapping[str, Any], table: Path, place: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The columns x and y of the rows that ``rows`` chooses."""
    columns = [text(entry, key, where=place) for key in ("x", "y")]
    example = 'rows = { pdf_set = "CT18NLO", member = 0 }'
    wanted = named_values(entry, "rows", where=place, example=example)
    _, rows = read_table(table, required=[*columns, *wanted])
    kept = [row for row in rows if all(_is(row, column, value) for column, value in wanted.items())]
    if not kept:
        said = ", ".join(f"{column} = {value}" for column, value in wanted.items())
        msg = f"{place}: {table.name} has no rows{f' with {said}' if said else ''}; correct 'rows' or the table"
        raise FileFormatError(msg)
    x, y = (tuple(row.number(column) for row in kept) for column in columns)
    return x, y


def _is(row: Row, column: str, value: Any) -> bool:
    """Whether a cell holds a value; numbers are compared as numbers, not by their spelling."""
    cell = row.cells[column]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return cell_number(cell, where=row.where, lenient=True) == value
        except InvalidNumberError:
            return False
    return cell == value


def curve_tables(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Entries from which the curves are read again."""
    return [
        {
            "name": c.name,
            "x": list(c.x),
            "y": list(c.y),
            "kind": None if c.kind == "cubic" else c.kind,
            "degree": c.degree,
            "beyond": None if c.beyond == "nothing" else c.beyond,
            **stated(c, "argument_unit", "unit", "title"),
        }
        for c in curves
    ]


def parameter_tables(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    """Entries from which the parameters are read again."""
    return [
        {
            **stated(p, "name", "unit", "title"),
            "prior": None if p.prior is None else {"shape": p.prior.shape, **p.prior.numbers},
            "start": p.start,
        }
        for p in parameters
    ]


def derived_tables(derived: Sequence[Observable]) -> list[dict[str, Any]]:
    """Entries from which the derived quantities are read again."""
    return [stated(o, "name", "unit", "title", "formula") for o in derived]
