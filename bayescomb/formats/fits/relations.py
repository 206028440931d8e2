"""Combines fits, with a table that states which of their nuisances are the same or correlated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bayescomb.base.checks import check_choice, check_items, known_name, located
from bayescomb.base.choices import SHARED_NAMES, SharedNameRule
from bayescomb.base.errors import FileFormatError, OptionError
from bayescomb.formats.csv import LABEL, Row, read_table
from bayescomb.inputs.assumptions import AssumptionSet
from bayescomb.inputs.assumptions.prior_shapes import PRIOR_SHAPES
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.relations import Relation, related_nuisances

__all__ = ["combine", "read_relations"]

NUMBERS: Final = ("nominal", "low", "high")
PRIOR: Final = "prior"


def combine(
    measurements: Sequence[Measurement],
    *,
    name: str = "combination",
    shared_names: SharedNameRule = "error",
    relations: str | Path | Mapping[str, Mapping[str, str]] | Sequence[Relation] = (),
    units: Mapping[str, str] | None = None,
    assumption_set: AssumptionSet | None = None,
    **settings: Any,
) -> Combination:
    """Combine measurements: observables are in order of appearance, and there is one assumption set.

    Args:
        measurements: the measurements, for instance those of :mod:`bayescomb.fits`.
        name: name of the combination.
        shared_names: how a nuisance name that several measurements use is read: ``"error"`` refuses it, ``"same"`` makes it
            one nuisance.
        relations: nuisances that are the same or correlated: relation -> measurement -> nuisance, for nuisances that are the
            same; or :class:`bayescomb.Relation`, with a correlation and its range; or the path of a CSV table
            (:func:`read_relations`).
        units: observable -> unit.
        assumption_set: further correlations; a nuisance of a shared name keeps it in the first measurement and is called
            ``name_measurement`` in the others.
        settings: further arguments of :class:`bayescomb.Combination`.

    Raises:
        DuplicateNameError: measurements share the name of a nuisance, and neither a relation nor ``shared_names`` allows it.
        UnknownNameError: a relation or a unit names something unknown.
        Other bayescomb errors: as of :class:`bayescomb.Combination`.

    Examples:
        >>> import bayescomb as bc
        >>> fits = [
        ...     bc.Measurement.from_fit(name, values=[value, pull], covariance=[[4.0, 1.0], [1.0, 0.9]],
        ...         parameters=["sigma", jes], results=["sigma"])
        ...     for name, value, pull, jes in (("North", 99.0, 0.3, "jes"), ("South", 101.0, -0.1, "scale_j"))
        ... ]
        >>> both = bc.combine(fits, relations={"JES": {"North": "jes", "South": "scale_j"}}, units={"sigma": "pb"})
        >>> print(f"{bc.profile(both).values.item():.2f}")
        100.09
    """
    check_items(measurements, Measurement, where="combine(): measurements")
    check_choice(shared_names, SHARED_NAMES, where="combine(): shared_names")
    where = "combine()"
    one = related_nuisances(tuple(measurements), _relations(relations), shared_names=shared_names, where=where)
    observables = list(dict.fromkeys(o for m in measurements for e in m.estimates for o in e.observables))
    for observable in units or {}:
        known_name(observable, observables, kind="observable", where=f"units of {where}")
    stated = assumption_set or AssumptionSet(name="nominal")
    given = settings.pop("sources", ())
    return Combination(
        name=name,
        measurements=one.measurements,
        observables=tuple(Observable(name=o, unit=(units or {}).get(o, "")) for o in observables),
        sources=one.sources(given),
        assumption_sets={stated.name: one.assumptions(stated)},
        assumptions=stated.name,
        **settings,
    )


def _relations(given: str | Path | Mapping[str, Mapping[str, str]] | Sequence[Relation]) -> Sequence[Relation]:
    if isinstance(given, str | Path):
        return read_relations(Path(given))
    if isinstance(given, Mapping):
        return [Relation(name=name, members=members) for name, members in given.items()]
    check_items(given, Relation, where="combine(): relations")
    return given


def read_relations(path: Path) -> list[Relation]:
    r"""The relations of a CSV table.

    The first column holds the names of the relations; each measurement has a column with the name of its nuisance, empty if
    it has none.  A row with ``nominal``, ``low``, ``high`` or ``prior`` correlates its nuisances, any other equates them::

        name,North,South,nominal,low,high
        lumi,lumi_run2,CMS_lumi,,,
        jes,alpha_jes,CMS_scale_j,0.5,0,1
        generator,alpha_gen,-CMS_gen,,,

    Raises:
        FileFormatError: the file is absent or malformed.
        Other bayescomb errors: a row has wrong content; the message names its line.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "relations.csv")
        ...     _ = path.write_text("name,North,South,nominal\njes,jes,scale_j,0.5\n")
        ...     read_relations(path)[0].nominal
        0.5
    """
    header, rows = read_table(path, required=(), labelled=True)
    if len([c for c in header[1:] if c not in (*NUMBERS, PRIOR)]) < 2:
        msg = f"{path}: {', '.join(header)} found; needed after the name are columns of two or more measurements"
        raise FileFormatError(msg)
    found = []
    for row in rows:
        with located(row.where):
            found.append(_relation(row, header))
    return found


def _relation(row: Row, header: Sequence[str]) -> Relation:
    members = {c: row.cells[c] for c in header[1:] if c not in (*NUMBERS, PRIOR) and row.cells[c]}
    given: dict[str, Any] = {key: row.number(key) for key in NUMBERS if row.cells.get(key)}
    if row.cells.get(PRIOR):
        given[PRIOR] = check_choice(row.cells[PRIOR], PRIOR_SHAPES, where=PRIOR)
    if "low" in given and "nominal" not in given:
        msg = f"a range without a nominal value found; write the value for the profile into the column {NUMBERS[0]!r}"
        raise OptionError(msg)
    return Relation(name=row.cells[LABEL], members=members, **given)
