"""Reader of result sets of HFLAV's combination-code (PyPI ``combination-code``): a JSON file is a list of measurements.

A file is ``{"ResultSet": [...]}``.  Each set has a ``ResultSetLabel``, a list ``Parameter`` of ``Name``, ``Value`` and
``Error`` (statistical), optionally a ``StatisticalCorrelationMatrix``, and ``SystematicErrors``, each with a ``Name``,
``Values`` and optionally a ``SystematicCorrelationMatrix``; a matrix that is absent is the unit matrix.  A set becomes a
measurement of its label, a systematic error a source with a nuisance per parameter, and its matrix a block of the prior.  A
set with a ``TotalCorrelationMatrix`` becomes a measurement with a total covariance, which does not separate the sources.

By default the symmetric errors are used, and a warning names asymmetric ones (``ErrorUp``, ``ValuesUp``, ...).  That program
does the same, except for sets of one parameter without intercorrelations: there it interpolates the error between the two
sides at the average and averages again until nothing changes (as the PDG does), which sets weights but is no likelihood.
With ``asymmetric`` the two-sided errors of sets of one parameter are read as those of all other inputs
(:func:`~bayescomb.inputs.measurements.asymmetric_statistics`, and a response with a kink for each source).
"""

from __future__ import annotations

import dataclasses
import json
import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_correlation, check_names, located
from bayescomb.base.errors import DuplicateNameError, FileFormatError, InvalidMatrixError, InvalidNumberError, warn_input
from bayescomb.base.numerics import asymmetric_entry
from bayescomb.formats.csv import number, read_text
from bayescomb.inputs.budget import nuisance_name
from bayescomb.inputs.measurements import CovarianceKind, Estimate, Measurement, Nuisance, asymmetric_statistics

__all__ = [
    "ResultSet",
    "json_document",
    "looks_like_result_sets",
    "measurement_of",
    "objects",
    "read_result_sets",
]

RESULT_SETS: Final = "ResultSet"
SET_KEYS: Final = ("ResultSetLabel", "Parameter")
ASYMMETRIC: Final = ("ErrorUp", "ErrorDown", "ValuesUp", "ValuesDown")
# Published matrices are rounded to two or three places.
ROUNDED: Final = 5.1e-4


@dataclass(frozen=True, kw_only=True)
class ResultSet:
    """One result set of n parameters.

    Attributes:
        where: the file and the label.
        label: label of the set.
        parameters: n names.
        values: shape (n,).
        errors: statistical errors, shape (n,).
        statistical: correlations of the statistical errors, shape (n, n).
        systematics: source -> sizes, shape (n,), and correlations, shape (n, n).
        total: correlations of the total errors, shape (n, n); ``None`` if each error has its own correlations.
        two_sided: source -> sizes up and down, if these differ and n = 1; the key of the statistical error is ``""``.
    """

    where: str
    label: str
    parameters: tuple[str, ...]
    values: FloatArray
    errors: FloatArray
    statistical: FloatArray
    systematics: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    total: FloatArray | None = None
    two_sided: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def estimate(self, parameter: str) -> str:
        """Name of the estimate of a parameter: the label, with the parameter behind it where there are several."""
        return self.label if len(self.parameters) == 1 else f"{self.label}: {parameter}"

    def only(self, parameters: Collection[str]) -> ResultSet:
        """The set with these of its parameters only."""
        keep = [i for i, name in enumerate(self.parameters) if name in parameters]
        at = np.ix_(keep, keep)
        return dataclasses.replace(
            self,
            parameters=tuple(self.parameters[i] for i in keep),
            values=self.values[keep],
            errors=self.errors[keep],
            statistical=self.statistical[at],
            systematics={name: (sizes[keep], matrix[at]) for name, (sizes, matrix) in self.systematics.items()},
            total=None if self.total is None else self.total[at],
        )


def looks_like_result_sets(path: Path) -> bool:
    """Whether a file is JSON with result sets, without any other check."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and RESULT_SETS in document


def json_document(path: Path, *, required: Sequence[str]) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        FileFormatError: the file is absent, is no JSON, holds no object, or lacks a key.
    """
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: broken JSON, {error}; correct it"
        raise FileFormatError(msg) from error
    if not isinstance(document, dict):
        msg = f"{path}: a JSON object with the keys {', '.join(required)} is needed; {type(document).__name__} found"
        raise FileFormatError(msg)
    missing = [key for key in required if key not in document]
    if missing:
        msg = f"{path}: missing key {', '.join(map(repr, missing))}; found {', '.join(document) or 'no key'}"
        raise FileFormatError(msg)
    return document


def objects(document: Mapping[str, Any], key: str, *, where: str, keys: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    """The objects of a list.

    Args:
        document: the object that holds the list.
        key: key of the list.
        where: place of the document, for messages.
        keys: keys of every object, ``Name`` among them; with keys the list must not be empty.

    Raises:
        FileFormatError: the value of the key is no list of such objects.
    """
    found = document[key]
    if not isinstance(found, list) or not all(isinstance(f, dict) for f in found) or (keys and not found):
        which = f" with {', '.join(keys)}" if keys else ""
        msg = f"{where}: {key} = {reprlib.repr(found)} found, a list of objects{which} is needed"
        raise FileFormatError(msg)
    for part in found if keys else ():
        if not all(k in part for k in keys) or not isinstance(part["Name"], str) or not part["Name"]:
            msg = f"{where}, {key}: {dict(part)!r} found, {', '.join(keys)} are needed; complete it"
            raise FileFormatError(msg)
    return found


def read_result_sets(path: Path, *, asymmetric: bool = False) -> list[ResultSet]:
    """The result sets of a file.

    Args:
        path: a JSON file.
        asymmetric: whether to read asymmetric errors of sets of one parameter.

    Raises:
        FileFormatError: a key is missing or its value has another form.
        InvalidNumberError: a value or an error is no number, or an error is negative.
        InvalidMatrixError: a matrix has another shape, or is no correlation matrix.
        DuplicateNameError: a label, a parameter or a systematic error of a set stands twice.

    Warns:
        InputWarning: the file has asymmetric errors, but the symmetric ones are used.
    """
    document = json_document(path, required=(RESULT_SETS,))
    found: list[ResultSet] = []
    for i, entry in enumerate(objects(document, RESULT_SETS, where=str(path)), 1):
        one = _result_set(entry, f"{path}: result set {i}", path, two_sided_wanted=asymmetric)
        if one.label in {r.label for r in found}:
            msg = f"{path}: label {one.label!r} stands twice; every result set needs its own"
            raise DuplicateNameError(msg)
        found.append(one)
    return found


def _result_set(entry: Mapping[str, Any], place: str, path: Path, *, two_sided_wanted: bool) -> ResultSet:
    missing = [key for key in SET_KEYS if key not in entry]
    if missing:
        msg = f"{place}: missing key {', '.join(map(repr, missing))}; add it"
        raise FileFormatError(msg)
    label = entry["ResultSetLabel"]
    if not isinstance(label, str) or not label:
        msg = f"{place}: ResultSetLabel = {label!r} found, a text is needed"
        raise FileFormatError(msg)
    where = f"{path}: {label!r}"
    parameters = objects(entry, "Parameter", where=where, keys=("Name", "Value", "Error"))
    names = [p["Name"] for p in parameters]
    check_names(names, where=f"{where}, Parameter")
    n = len(names)
    values = np.array([number(p["Value"], where=f"{where}, {p['Name']}") for p in parameters])
    errors = np.array([_size(p["Error"], where=f"{where}, Error of {p['Name']}") for p in parameters])
    systematics = {}
    listed = (
        objects(entry, "SystematicErrors", where=where, keys=("Name", "Values")) if entry.get("SystematicErrors") else []
    )
    for source in listed:
        name, at = source["Name"], f"{where}, systematic error {source['Name']!r}"
        if name in systematics:
            msg = f"{at}: stands twice; every systematic error of a set needs its own name"
            raise DuplicateNameError(msg)
        if not isinstance(source["Values"], list) or len(source["Values"]) != n:
            msg = f"{at}: {source['Values']!r} found, a list of {n} sizes is needed, one per parameter"
            raise FileFormatError(msg)
        sizes = np.array([number(v, where=at) for v in source["Values"]])
        systematics[name] = sizes, _matrix(source, "SystematicCorrelationMatrix", names, where=at)
    asymmetric = [key for part in (*parameters, *listed) for key in ASYMMETRIC if key in part]
    total = "TotalCorrelationMatrix"
    two_sided = {}
    single = n == 1 and entry.get(total) is None
    if two_sided_wanted and single:
        sides = {"": _sides(parameters[0], ("Error", "ErrorUp", "ErrorDown"), where)}
        sides |= {s["Name"]: _sides(s, ("Values", "ValuesUp", "ValuesDown"), f"{where}, {s['Name']}") for s in listed}
        two_sided = {name: (up, down) for name, (up, down) in sides.items() if up != down}
    if asymmetric and not (two_sided_wanted and single):
        why = ", as a set of several parameters or of total errors has no others" if two_sided_wanted else ""
        warn_input(f"{where}: asymmetric errors found ({asymmetric[0]}); the symmetric errors beside them are used{why}")
    return ResultSet(
        where=where,
        label=label,
        parameters=tuple(names),
        values=values,
        errors=errors,
        statistical=_matrix(entry, "StatisticalCorrelationMatrix", names, where=where),
        systematics=systematics,
        total=_matrix(entry, total, names, where=where) if entry.get(total) is not None else None,
        two_sided=two_sided,
    )


def _sides(part: Mapping[str, Any], keys: tuple[str, str, str], where: str) -> tuple[float, float]:
    """Sizes up and down of the only parameter; a side that is not given is the symmetric error."""
    found = []
    for key in keys[1:]:
        given = part.get(key, part[keys[0]])
        at = f"{where}, {key}"
        value = number(given[0] if isinstance(given, list) and len(given) == 1 else given, where=at)
        if key in part and value < 0:
            msg = f"{at}: {value:g} found, a size must not be negative; correct it"
            raise InvalidNumberError(msg)
        found.append(value)
    return found[0], found[1]


def _size(value: Any, *, where: str) -> float:
    found = number(value, where=where)
    if found <= 0:
        msg = f"{where}: {found:g} found, a statistical uncertainty is above 0; correct it"
        raise InvalidNumberError(msg)
    return found


def _matrix(entry: Mapping[str, Any], key: str, names: Sequence[str], *, where: str) -> FloatArray:
    """A correlation matrix, the unit matrix if it is not given; mirror entries that differ by rounding are averaged."""
    given = entry.get(key)
    if given is None:
        return np.eye(len(names))
    place = f"{where}, {key}"
    rows = given if isinstance(given, list) else []
    if len(rows) != len(names) or not all(isinstance(r, list) and len(r) == len(names) for r in rows):
        msg = f"{place}: {len(names)} rows of {len(names)} numbers are needed, one per parameter; correct it"
        raise InvalidMatrixError(msg)
    matrix = np.array([[number(v, where=place) for v in row] for row in rows])
    found = asymmetric_entry(matrix, tolerance=ROUNDED)
    if found is not None:
        i, j = found
        msg = (
            f"{place}: {matrix[i, j]:g} and {matrix[j, i]:g} found for {names[i]!r} and {names[j]!r}; a correlation "
            "matrix is symmetric, correct one of the two"
        )
        raise InvalidMatrixError(msg)
    with located(where):
        return check_correlation((matrix + matrix.T) / 2, names=list(names), where=key)


def measurement_of(found: ResultSet, *, experiment: str = "") -> Measurement:
    """A result set as a measurement: a nuisance per source and parameter, or a total covariance.

    Examples:
        >>> one = ResultSet(where="here", label="CDF2", parameters=("dms",), values=np.array([17.77]),
        ...     errors=np.array([0.10]), statistical=np.eye(1), systematics={"total": (np.array([0.07]), np.eye(1))})
        >>> [n.name for n in measurement_of(one).nuisances]
        ['total[CDF2]']
    """
    names = [found.estimate(p) for p in found.parameters]
    if found.two_sided and found.total is None:
        return _two_sided(found, names[0], experiment)
    estimates = tuple(
        Estimate(name=name, value=float(value), observables={parameter: 1.0})
        for name, value, parameter in zip(names, found.values, found.parameters, strict=True)
    )
    common: dict[str, Any] = {"name": found.label, "experiment": experiment or found.label, "estimates": estimates}
    with located(found.where):
        if found.total is not None:
            sizes = np.sqrt(found.errors**2 + sum(s**2 for s, _ in found.systematics.values()))
            covariance = found.total * np.outer(sizes, sizes)
            return Measurement(**common, statistical_covariance=covariance, covariance_kind=CovarianceKind.TOTAL)
        nuisances = tuple(
            Nuisance(name=nuisance_name(source, name), source=source) for source in found.systematics for name in names
        )
        shifts = [np.diag(sizes) for sizes, _ in found.systematics.values()]
        return Measurement(
            **common,
            statistical_covariance=found.statistical * np.outer(found.errors, found.errors),
            nuisances=nuisances,
            responses=np.hstack([np.zeros((len(names), 0)), *shifts]),
        )


def _two_sided(found: ResultSet, name: str, experiment: str) -> Measurement:
    """A set of one parameter as a measurement with two-sided errors."""
    up, down = np.array([found.two_sided.get("", (found.errors[0], found.errors[0]))]).T
    gaussian, asymmetric, *kinked = asymmetric_statistics([name], up, -down)
    sizes = [found.two_sided.get(source, (s[0], s[0])) for source, (s, _) in found.systematics.items()]
    shifts = np.array([[a, -b] for a, b in sizes], dtype=float).reshape(-1, 2).T[:, None, :]
    with located(found.where):
        return Measurement(
            name=found.label,
            experiment=experiment or found.label,
            estimates=(Estimate(name=name, value=float(found.values[0]), observables={found.parameters[0]: 1.0}),),
            statistical_covariance=np.diag(gaussian**2),
            nuisances=(*(Nuisance(name=nuisance_name(s, name), source=s) for s in found.systematics), *asymmetric),
            responses=np.hstack([shifts[0], kinked[0]]),
            down_responses=np.hstack([shifts[1], kinked[1]]),
        )
