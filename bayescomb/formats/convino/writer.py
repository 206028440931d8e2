"""Writer of Convino files, which :func:`.load_convino` reads back as an equal combination.

Titles, units, experiments, sources and provenance have no place in these files and are left out, and so are the names of
coefficients; everything else that they cannot hold is refused.  A non-diagonal statistical covariance is written as its
inverse, a ``[hessian]`` of the estimates alone, which has the same likelihood.  Only the assumption set in force is written.
Predictions are left out with a warning; an extraction in force, which is another fit, is refused.  Numbers are written in
full precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from bayescomb.base.errors import OptionError, OutputError, UnknownNameError, warn_input
from bayescomb.base.files.writing import cannot_write, written_into
from bayescomb.formats.convino.blocks import shown
from bayescomb.formats.convino.entries import STATISTICS, check_name
from bayescomb.formats.csv import LARGEST
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement, Nuisance

__all__ = ["correlation_lines", "number_text", "shift_text", "write_convino"]

SUFFIX: Final = ".txt"
# Settings that these files cannot state -> the value that their reader sets.
SETTINGS: Final = {"treatment": "nuisance", "repair": "none", "chi2": "neyman", "nuisance_values": "used"}


def write_convino(combination: Combination, folder: str | Path, *, name: str = "") -> Path:
    """Write a base file and one file per measurement; files of those names are replaced, all or none.

    Args:
        combination: what to write.
        folder: where to; it is made if it does not exist.
        name: of the base file without suffix, that of the combination by default.

    Returns:
        The base file.

    Raises:
        OptionError: the files cannot hold a name, or something that changes a result.
        OutputError: a file cannot be written.

    Warns:
        InputWarning: the combination has predictions, which are left out, or total covariances.
    """
    folder = Path(folder)
    base = file_name(name or combination.name, kind="the combination")
    _check_expressible(combination)
    texts = {base: _base_text(combination)}
    for measurement in combination.measurements:
        file = file_name(measurement.name, kind="a measurement")
        if file.casefold() in {other.casefold() for other in texts}:
            msg = f"measurement {measurement.name!r}: the file {file} is already taken; give the base file another name"
            raise OptionError(msg)
        texts[file] = _measurement_text(measurement)
    _write(folder, texts, last=base)
    totals = ", ".join(repr(m.name) for m in combination.measurements if m.is_total)
    if totals:
        message = (
            f"{folder / base}: Convino files know statistics and sources only, so that the total covariance of {totals} is "
            "written as statistical"
        )
        warn_input(message)
    if combination.predictions:
        left_out = ", ".join(repr(p.name) for p in combination.predictions)
        message = f"{folder / base}: Convino files hold no predictions, left out: {left_out}"
        warn_input(message)
    return folder / base


def _write(folder: Path, texts: dict[str, str], *, last: str) -> None:
    """All files are complete before the first takes its place, the base file last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error, what="cannot be made") from error
    for file in texts:
        if (folder / file).is_dir():
            msg = f"{folder / file}: is a folder and stands in the way; remove it or choose another folder"
            raise OutputError(msg)
    with written_into(folder, texts, last=last, overwrite=True):
        pass  # nothing to check


def _refuse(what: str, remedy: str) -> NoReturn:
    msg = f"{what} cannot be written to Convino files{remedy}"
    raise OptionError(msg)


def _check_expressible(combination: Combination) -> None:
    for key, allowed in SETTINGS.items():
        found = getattr(combination, key)
        if found != allowed:
            _refuse(f"{key} {found!r}", f", only {allowed!r}; change it first")
    if combination.nonnegative:
        remedy = "; remove them first, with_nonnegative(()), and give --nonnegative to the command that reads the files"
        _refuse(f"{', '.join(combination.nonnegative)}: the bounds at 0", remedy)
    if combination.parameters or combination.functions:
        quantities = [p.name for p in combination.parameters] + [o.name for o in combination.functions]
        names = ", ".join(map(repr, quantities))
        _refuse(f"parameters and formulas, {names},", "; use a model.toml")
    if combination.errors_on_errors:
        uncertain = ", ".join(combination.errors_on_errors)
        _refuse(f"uncertain sizes of {uncertain}", "; take them out first")
    if combination.extraction:
        remedy = ", which combine the observables; take it out of force first, with_extraction('')"
        _refuse(f"extraction {combination.extraction!r}", remedy)
    for observable in combination.observables:
        if not observable.spectator:
            _name(observable.name, kind="an observable")
    for estimate in combination.estimates:
        if estimate.likelihood is not None:
            remedy = ", which hold Gaussian inputs; use a model.toml"
            _refuse(f"estimate {estimate.name!r}: a likelihood table", remedy)
        _name(estimate.name, kind="an estimate")
        factors = {o: factor for o, factor in estimate.observables.items() if factor}
        if list(factors.values()) != [1.0]:
            remedy = ", only one observable with the factor 1; use a model.toml"
            _refuse(f"estimate {estimate.name!r}: the map {factors} to the observables", remedy)
    for nuisance in combination.nuisances:
        _name(nuisance.name, kind="a nuisance")
    for measurement in combination.measurements:
        estimates = {e.name for e in measurement.estimates}
        for nuisance in measurement.all_nuisances:
            if nuisance.name in estimates:
                msg = (
                    f"measurement {measurement.name!r}: {nuisance.name!r} is the name of an estimate and of a nuisance, "
                    "which a Convino file tells apart by their names; rename one of them, or use a model.toml"
                )
                raise OptionError(msg)
    for label in combination.impact_groups:
        if any(c in label for c in "=#[]") or label != " ".join(label.split()):
            _refuse(f"impact group {label!r}", ", it holds '=', '#', brackets or two blanks; rename it")


def _name(name: str, *, kind: str) -> str:
    try:
        return check_name(name, kind=kind, where="Convino files")
    except UnknownNameError as error:
        raise OptionError(str(error)) from error


def file_name(name: str, *, kind: str) -> str:
    """Name of the file of a combination or measurement.

    Raises:
        OptionError: neither Convino nor the file system can hold the name.
    """
    _name(name, kind=kind)
    if any(c in name for c in "/\\") or name.startswith(".") or Path(f"{name}{SUFFIX}").stem != name:
        msg = f"{shown(name)} is no name of {kind} that a file can have; use letters, digits, '_', '-' and '.'"
        raise OptionError(msg)
    return f"{name}{SUFFIX}"


def _block(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"[{name}]", *(f"  {line}" for line in lines), f"[end {name}]", ""])


def _base_text(combination: Combination) -> str:
    members: dict[str, list[str]] = {o.name: [] for o in combination.observables if not o.spectator}
    for estimate in combination.estimates:
        observable = next(o for o, factor in estimate.observables.items() if factor)
        if observable in members:
            members[observable].append(estimate.name)
    measurements = combination.measurements
    blocks = {
        "global": [f"normalise = {str(combination.normalise).lower()}"],
        "inputs": [
            f"nFiles = {len(measurements)}",
            *(f"file{i} = {file_name(m.name, kind='a measurement')}" for i, m in enumerate(measurements)),
        ],
        "observables": [f"{name} = {' + '.join(estimates)}" for name, estimates in members.items()],
        "correlations": correlation_lines(combination.assumption_set),
    }
    if combination.impact_groups:
        blocks["uncertainty impacts"] = [f"{label} = {' + '.join(g)}" for label, g in combination.impact_groups.items()]
    head = "Base file of a combination for Convino and bayescomb.\n"
    return "\n".join([head, *(_block(name, lines) for name, lines in blocks.items())])


def _measurement_text(measurement: Measurement) -> str:
    estimates = [e.name for e in measurement.estimates]
    covariance = measurement.statistical_covariance
    diagonal = covariance is not None and (covariance == np.diag(np.diag(covariance))).all()
    blocks: dict[str, list[str]] = {}
    if measurement.fit is not None:
        names = [*estimates, *(n.name for n in measurement.fit.nuisances)]
        blocks["hessian"] = _triangle(names, measurement.fit.information)
    elif covariance is not None and not diagonal:
        if measurement.statistical_spectrum[2].any():
            what = f"measurement {measurement.name!r}: a singular statistical covariance"
            _refuse(what, ", which hold its inverse; use a model.toml")
        information = np.linalg.inv(covariance)
        blocks["hessian"] = _triangle(estimates, (information + information.T) / 2)
    if measurement.nuisances or diagonal:
        blocks["not fitted"] = _table(
            measurement, np.sqrt(np.diag(covariance)) if diagonal and covariance is not None else None
        )
    nuisances = measurement.all_nuisances
    blocks["systematics"] = [f"{n.name} = {_type(n)}" for n in nuisances if n.free or n.response != "absolute"]
    blocks["estimates"] = [f"n_estimates = {len(estimates)}"]
    for i, estimate in enumerate(measurement.estimates):
        blocks["estimates"] += [
            f"name_{i} = {estimate.name}",
            f"value_{i} = {number_text(estimate.value, where=f'value of {estimate.name!r}')}",
        ]
    if measurement.fit is not None and measurement.fit.pulls.any():
        fitted = zip(measurement.fit.nuisances, measurement.fit.pulls, strict=True)
        blocks["nuisance values"] = [
            f"{n.name} = {number_text(pull, where=f'post-fit value of {n.name!r}')}" for n, pull in fitted
        ]
    head = "Measurement file for Convino and bayescomb.\n"
    return "\n".join([head, *(_block(name, lines) for name, lines in blocks.items())])


def _triangle(names: list[str], matrix: Any) -> list[str]:
    return [
        " ".join([name, *(number_text(x, where=f"information of {name!r}") for x in row[: i + 1])])
        for i, (name, row) in enumerate(zip(names, matrix, strict=True))
    ]


def _table(measurement: Measurement, statistical: Any) -> list[str]:
    """Header and rows."""
    up_shifts, down_shifts = measurement.two_sided_responses
    names = [n.name for n in measurement.nuisances]
    lines = [" ".join(["", *names, *([STATISTICS] if statistical is not None else [])]).strip()]
    for i, estimate in enumerate(measurement.estimates):
        row = [
            shift_text(up, opposite, where=f"response of {estimate.name!r} to {name!r}")
            for name, up, opposite in zip(names, up_shifts[i], down_shifts[i], strict=True)
        ]
        if statistical is not None:
            row.append(number_text(statistical[i], where=f"statistical uncertainty of {estimate.name!r}"))
        lines.append(" ".join([estimate.name, *row]))
    return lines


def _type(nuisance: Nuisance) -> str:
    words = [nuisance.response] if nuisance.response != "absolute" else []
    return " ".join([*words, *(["free"] if nuisance.free else [])])


def correlation_lines(assumptions: AssumptionSet) -> list[str]:
    """The lines in the order of the coefficients, a scan group at the place of its first member, blocks last.

    Raises:
        OptionError: a coefficient with a range has several pairs or a prior that is not uniform, or the members of a scan
            group have no nuisance in common, so that no line can hold them.
    """
    lines: list[str] = []
    written: set[str] = set()
    for coefficient in assumptions.coefficients:
        if not coefficient.varied:
            lines += [f"{pair.first} = {_bracket(coefficient, pair.sign)} {pair.second}" for pair in coefficient.pairs]
            continue
        group = coefficient.scan_group
        if group and group in written:
            continue
        written.add(group)
        members = [c for c in assumptions.coefficients if c.varied and c.scan_group == group] if group else [coefficient]
        for member in members:
            _check_range(member)
        lines.append(_together(members))
    for block in assumptions.blocks:
        lines += _block_lines(block)
    return lines


def _check_range(coefficient: CorrelationCoefficient) -> None:
    where = f"coefficient {coefficient.name!r}"
    if coefficient.prior != "uniform":
        _refuse(f"{where}: a {coefficient.prior} prior", ", only a uniform one; change it first")
    if len(coefficient.pairs) != 1:
        remedy = ", where every pair has its own; split it or remove its range"
        _refuse(f"{where}: one prior for its {len(coefficient.pairs)} pairs", remedy)


def _together(members: Sequence[CorrelationCoefficient]) -> str:
    """One line for the members of a scan group: all have a nuisance in common, which stands in front."""
    pairs = [member.pairs[0] for member in members]
    common = [n for n in (pairs[0].first, pairs[0].second) if all(n in (pair.first, pair.second) for pair in pairs)]
    if not common:
        names = ", ".join(repr(member.name) for member in members)
        msg = (
            f"scan group {members[0].scan_group!r} of {names}: its pairs have no nuisance in common, so no line of a "
            "Convino file can hold them; scan each alone"
        )
        raise OptionError(msg)
    first = common[0]
    parts = [
        f"{_bracket(member, pair.sign)} {pair.second if pair.first == first else pair.first}"
        for member, pair in zip(members, pairs, strict=True)
    ]
    return f"{first} = {' + '.join(parts)}"


def _bracket(coefficient: CorrelationCoefficient, sign: int) -> str:
    """``(nominal)`` or ``(nominal & start : end)`` of a pair, whose correlation is ``sign`` times the coefficient."""
    where = f"coefficient {coefficient.name!r}"
    nominal = number_text(0.0 + sign * coefficient.nominal, where=where)
    if coefficient.low is None or coefficient.high is None:
        return f"({nominal})"
    ends = (coefficient.high, coefficient.low) if coefficient.descending else (coefficient.low, coefficient.high)
    start, end = (number_text(0.0 + sign * value, where=where) for value in ends)
    return f"({nominal} & {start} : {end})"


def _block_lines(block: CorrelationBlock) -> list[str]:
    lines = []
    for i, first in enumerate(block.nuisances):
        parts = [
            f"({number_text(rho, where=f'block {block.name!r}')}) {second}"
            for second, rho in zip(block.nuisances[:i], block.correlation[i], strict=False)
            if rho
        ]
        if parts:
            lines.append(f"{first} = {' + '.join(parts)}")
    return lines


def number_text(number: float, *, where: str) -> str:
    """The shortest text that reads as the number.

    Raises:
        OptionError: the readers refuse a number of this size.
    """
    number = float(number)
    if number != 0 and not 1 / LARGEST <= abs(number) <= LARGEST:
        allowed = f"0 and sizes from {1 / LARGEST:g} to {LARGEST:g}"
        _refuse(f"{where}: {number!r}", f", allowed are {allowed}; use other units")
    return repr(number)


def shift_text(up: float, down: float, *, where: str) -> str:
    """Shifts of a published value at +1 and -1 sigma as the files state them, without exponents in brackets.

    Raises:
        OptionError: the readers refuse numbers of this size.

    Examples:
        >>> shift_text(5.0, -3.0, where="row 1"), shift_text(6.1, -6.1, where="row 1")
        ('(+5.0-3.0)', '6.1')
    """
    if down == -up:
        return number_text(up, where=where)
    parts = (number_text(shift, where=where) for shift in (up, down))
    return f"({''.join(format(Decimal(part), '+f') for part in parts)})"
