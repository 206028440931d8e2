"""Reader of Convino base files (Kieseler, EPJC 77 (2017) 792), so that existing configurations run as they are.

Where the original program would silently drop or misread something, a warning with file and line says how it is read here;
where that would change a number, it is an error.

A line of ``[correlations]`` is ``a = (rho) b + (rho & low : high) c``.  A range is the support of a uniform prior; the
coefficients of one line that have a range are scanned together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bayescomb.base.checks import check_choice, known_name, located
from bayescomb.base.choices import SHARED_NAMES
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    OptionError,
    RangeError,
    UnderdeterminedError,
    UnknownNameError,
)
from bayescomb.base.files.writing import require_whole
from bayescomb.formats.convino.blocks import BASE_BLOCKS, Block, Line, read_blocks, shown, starts_block, warn
from bayescomb.formats.convino.entries import (
    STATISTICS,
    Entry,
    check_name,
    check_stray,
    entries,
    flag,
    known_key,
    numbered,
    summands,
    unique,
    value,
    without_semicolon,
)
from bayescomb.formats.convino.measurement_file import MeasurementFile, read_measurement
from bayescomb.formats.csv import read_text
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationCoefficient, CorrelationPair
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Nuisance
from bayescomb.inputs.observables import Observable
from bayescomb.inputs.relations import shared_nuisances

__all__ = ["ASSUMPTIONS", "load_convino", "looks_like_convino", "read_correlations"]

ASSUMPTIONS: Final = "nominal"
GLOBAL_KEYS: Final = ("isDifferential", "normalise", "normalisedInput")
REQUIRED: Final = ("inputs", "observables", "correlations")
ITEM: Final = re.compile(r"\s*(\+?)\s*\(([^()]*)\)([^()+]*)")


@dataclass(frozen=True, kw_only=True)
class _Names:
    """All names of the measurement files.

    Attributes:
        estimates: estimate -> where it is introduced.
        nuisances: name -> nuisance.
    """

    estimates: Mapping[str, str]
    nuisances: Mapping[str, Nuisance]


def looks_like_convino(path: Path) -> bool:
    """Whether a file is a Convino base file: not TOML by its name, and with an ``[inputs]`` block."""
    if path.suffix == ".toml":
        return False
    try:
        return starts_block(read_text(path), "inputs")
    except FileFormatError:
        return False


def load_convino(path: str | Path, *, shared_names: str = "error") -> Combination:
    """Read a combination from a Convino base file and the measurement files it names.

    Nuisances keep their names.  The assumption set is called ``"nominal"``; its ranges are uniform priors.  An estimate that
    belongs to no observable becomes a spectator, an observable with the name of the estimate, listed after all others.

    Args:
        path: the base file.
        shared_names: how a nuisance name that stands in two measurement files is read: ``"error"`` refuses it, as Convino
            does, ``"same"`` makes it one nuisance (:mod:`bayescomb.inputs.relations`).

    Raises:
        FileFormatError: a file has the wrong form; the other bayescomb errors for wrong content, each with file and line.
    """
    check_choice(shared_names, SHARED_NAMES, where="shared_names")
    path = Path(path)
    require_whole(path)
    blocks = read_blocks(path, allowed=BASE_BLOCKS, required=REQUIRED)
    if "global" not in blocks:
        warn(
            f"{path}", "block [global] is missing, so that nothing is normalised; add it, even if empty, as Convino needs it"
        )
    settings = _read_global(blocks["global"]) if "global" in blocks else {}
    inputs = _read_inputs(blocks["inputs"])
    files = []
    for entry in inputs:
        with located(entry.where):
            files.append(read_measurement(path.parent / entry.value))
    names = _names(files, shared=shared_names == "same")
    observables = _read_observables(blocks["observables"], names)
    if settings.get("isDifferential") and not observables:
        observables = _by_position(files, names, blocks["inputs"].where)
    maps = {e: {name: 1.0} for name, members in observables.items() for e in members}
    spectators = [e for e in names.estimates if e not in maps]
    maps |= {e: {e: 1.0} for e in spectators}
    coefficients = read_correlations(blocks["correlations"], names.nuisances, names.estimates)
    groups = _read_impacts(blocks["uncertainty impacts"], names) if "uncertainty impacts" in blocks else {}
    measurements = [file.measurement(name, maps) for file, name in zip(files, _measurement_names(files), strict=True)]
    one = shared_nuisances(measurements, where=str(path))
    assumptions = one.assumptions(AssumptionSet(name=ASSUMPTIONS, coefficients=coefficients))
    with located(str(path)):
        return Combination(
            name=path.stem.strip() or "combination",
            measurements=one.measurements,
            observables=(
                *(Observable(name=name) for name in observables),
                *(Observable(name=name, spectator=True) for name in spectators),
            ),
            assumption_sets={ASSUMPTIONS: assumptions},
            assumptions=ASSUMPTIONS,
            treatment="nuisance",
            normalise=settings.get("normalise", False),
            impact_groups=one.groups(groups),
            sources=one.sources(()),
        )


def _read_global(block: Block) -> dict[str, bool]:
    pieces = [
        Line(where=line.where, text=piece.strip()) for line in block.lines for piece in line.text.split(",") if piece.strip()
    ]
    found, stray = entries(Block(name=block.name, where=block.where, lines=tuple(pieces)))
    check_stray(stray, GLOBAL_KEYS, block=block.name)
    settings = {}
    for key, entry in unique(found, block=block.name).items():
        if known_key(entry, GLOBAL_KEYS, block=block.name):
            settings[key] = flag(without_semicolon(entry), where=f"{entry.where}: {key}")
            if key == "normalisedInput" and settings[key]:
                msg = f"{entry.where}: normalisedInput = true is not offered; leave out one bin of a normalised input"
                raise OptionError(msg)
    return settings


def _read_inputs(block: Block) -> list[Entry]:
    """The entries that name the measurement files."""
    files, _ = numbered(block, size_key="nFiles", keys=("file",), known=())
    inputs: dict[str, Entry] = {}
    for (entry,) in files:
        if entry.value in inputs:
            first = inputs[entry.value].where
            msg = f"{entry.where}: the file {entry.value} is already listed at {first}; list every file once"
            raise DuplicateNameError(msg)
        inputs[entry.value] = entry
    return list(inputs.values())


def _names(files: Sequence[MeasurementFile], *, shared: bool) -> _Names:
    """All estimates and nuisances.

    Raises:
        DuplicateNameError: two files use the same name, unless it is ``shared`` and a nuisance in both.
    """
    places: dict[str, str] = {}
    nuisances: dict[str, Nuisance] = {}
    for file in files:
        for name, where in file.places.items():
            if name in places and not (shared and name in file.nuisances and name in nuisances):
                msg = (
                    f"{where}: {name!r} is already used at {places[name]}; every estimate and nuisance has its own name, a "
                    "source common to two files is two nuisances with a correlation of 1; rename one of them, or make equal "
                    "names one nuisance with shared_names 'same' (--shared-names same)"
                )
                raise DuplicateNameError(msg)
            places.setdefault(name, where)
        nuisances |= {name: nuisance for name, nuisance in file.nuisances.items() if name not in nuisances}
    return _Names(
        estimates={e: places[e] for file in files for e in file.values},
        nuisances=nuisances,
    )


def _read_observables(block: Block, names: _Names) -> dict[str, tuple[str, ...]]:
    """Observable -> its estimates."""
    found, stray = entries(block, continued=True)
    check_stray(stray, {*names.estimates, *names.nuisances}, block=block.name)
    observables: dict[str, list[str]] = {}
    places: dict[str, str] = {}
    owner: dict[str, str] = {}
    for entry in found:
        name = check_name(entry.key, kind="an observable", where=entry.where)
        if name in observables:
            warn(entry.where, f"observable {name!r} is continued from {places[name]}; write its estimates on one line")
        places.setdefault(name, entry.where)
        members = observables.setdefault(name, [])
        for estimate in summands(entry, block=block.name):
            if estimate in names.nuisances:
                msg = f"{entry.where}: {estimate!r} in [observables] is a nuisance; list estimates only"
                raise UnknownNameError(msg)
            known_name(estimate, names.estimates, kind="estimate", where=f"{entry.where}: [observables]")
            if estimate in members:
                warn(entry.where, f"estimate {estimate!r} stands twice in observable {name!r} and counts once; remove one")
                continue
            if estimate in owner:
                msg = f"{entry.where}: estimate {estimate!r} is already in an observable at {owner[estimate]}; keep one"
                raise DuplicateNameError(msg)
            owner[estimate] = entry.where
            members.append(estimate)
    for name, members in observables.items():
        _check_observable(name, members, names, where=places[name])
    return {name: tuple(members) for name, members in observables.items()}


def _by_position(files: Sequence[MeasurementFile], names: _Names, where: str) -> dict[str, tuple[str, ...]]:
    """The estimates of all files, combined bin by bin."""
    sizes = [len(file.values) for file in files]
    if len(set(sizes)) > 1:
        found = ", ".join(f"{file.path.name}: {size}" for file, size in zip(files, sizes, strict=True))
        msg = (
            f"{where}: isDifferential without [observables] combines estimates by position, so every file needs the same "
            f"number; found {found}; list them in [observables]"
        )
        raise FileFormatError(msg)
    bins = zip(*(file.values for file in files), strict=True)
    observables = {f"comb_{i}": members for i, members in enumerate(bins)}
    for name, members in observables.items():
        _check_observable(name, members, names, where=where)
    return observables


def _check_observable(name: str, members: Collection[str], names: _Names, *, where: str) -> None:
    """An observable may have the name of one of its estimates, as in ``x = x + y``."""
    if name in names.nuisances or (name in names.estimates and name not in members):
        kind = "a nuisance" if name in names.nuisances else "an estimate of another quantity"
        msg = f"{where}: observable {name!r} has the name of {kind}; rename one of them"
        raise DuplicateNameError(msg)


def _read_impacts(block: Block, names: _Names) -> dict[str, tuple[str, ...]]:
    """Label -> its nuisances, or ``stat`` alone for the statistical part."""
    found, stray = entries(block, continued=True, empty=True)
    check_stray(stray, {*names.nuisances, *names.estimates}, block=block.name)
    groups: dict[str, tuple[str, ...]] = {}
    for label, entry in unique(found, block=block.name).items():
        if not entry.value:
            warn(entry.where, f"group {label!r} has no nuisances and is left out; remove it")
            continue
        members = list(dict.fromkeys(summands(entry, block=block.name)))
        if len(members) == 1 and members[0].lower() == STATISTICS:
            groups[label] = (STATISTICS,)
            continue
        for name in members:
            if name.lower() == STATISTICS:
                msg = f"{entry.where}: {name!r} among others in [uncertainty impacts]; make it a group of its own"
                raise OptionError(msg)
            known_name(name, names.nuisances, kind="nuisance", where=f"{entry.where}: [uncertainty impacts]")
        groups[label] = tuple(members)
    return groups


def _measurement_names(files: Sequence[MeasurementFile]) -> list[str]:
    """Stems of the files; a number is added to a stem that is already taken."""
    names: dict[str, None] = {}
    for file in files:
        stem = file.path.stem.strip() or "measurement"
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}_{number}"
        names[name] = None
    return list(names)


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One coefficient of a line."""

    where: str
    line: int
    coefficient: CorrelationCoefficient


def read_correlations(
    block: Block, nuisances: Mapping[str, Nuisance], estimates: Collection[str]
) -> tuple[CorrelationCoefficient, ...]:
    """One coefficient per pair of nuisances.

    Args:
        block: the block.
        nuisances: all nuisances by name.
        estimates: names of the estimates, which cannot be correlated here.

    Raises:
        FileFormatError: a line is not of the form ``a = (rho) b + ...``.
        UnknownNameError: a name is not that of a nuisance.
        UnderdeterminedError: a nuisance is free, so it has no prior to correlate.
        InvalidNumberError: a coefficient or an end of a range is no number.
        RangeError: a coefficient or an end of a range lies outside [-1, 1].
    """
    found, stray = entries(block, continued=True)
    check_stray(stray, {*nuisances, *estimates}, block=block.name)
    stated: dict[frozenset[str], _Item] = {}
    for number, entry in enumerate(found):
        first = _nuisance(entry.key, nuisances, estimates, where=entry.where)
        for inside, name in _items(entry):
            second = _nuisance(name, nuisances, estimates, where=entry.where)
            if first == second:
                warn(entry.where, f"{first!r} is fully correlated with itself, ({inside}) is not read; remove it")
                continue
            key = frozenset((first, second))
            if key in stated:
                earlier = stated.pop(key).where
                warn(entry.where, f"the correlation of {first!r} and {second!r} replaces that of {earlier}; remove one")
            coefficient = _coefficient(inside, first, second, where=entry.where)
            stated[key] = _Item(where=entry.where, line=number, coefficient=coefficient)
    return _grouped(list(stated.values()))


def _nuisance(name: str, nuisances: Mapping[str, Nuisance], estimates: Collection[str], *, where: str) -> str:
    if name in estimates:
        msg = f"{where}: {name!r} in [correlations] is an estimate; only nuisances are correlated here"
        raise UnknownNameError(msg)
    known_name(name, nuisances, kind="nuisance", where=f"{where}: [correlations]")
    if nuisances[name].free:
        msg = f"{where}: nuisance {name!r} in [correlations] is free, it has no prior to correlate; remove the pair"
        raise UnderdeterminedError(msg)
    return name


def _items(entry: Entry) -> list[tuple[str, str]]:
    """Text in the brackets and name behind them, for each part of a line."""
    text = entry.value
    items: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = ITEM.match(text, position)
        name = match[3].strip() if match else ""
        if match is None or not name or (items and not match[1]):
            rest = text[position:].strip()
            if items and not rest.strip("+ \t"):
                warn(entry.where, "a plus sign with nothing behind it; remove it")
                break
            msg = f"{entry.where}: {shown(rest)} found, '(rho) nuisance' or '(rho & low : high) nuisance' is needed"
            raise FileFormatError(msg)
        if match[1] and not items:
            warn(entry.where, "a plus sign with nothing before it; remove it")
        items.append((" ".join(match[2].split()), name))
        position = match.end()
    return items


def _coefficient(inside: str, first: str, second: str, *, where: str) -> CorrelationCoefficient:
    """From ``nominal`` or ``nominal & start : end``."""
    at = f"{where}: coefficient of {first!r} and {second!r}"
    nominal_text, has_range, range_text = inside.partition("&")
    start_text, has_end, end_text = range_text.partition(":")
    if has_range and not has_end:
        msg = f"{at}: {shown(inside)} has '&' without a range; write (nominal & low : high)"
        raise FileFormatError(msg)

    def correlation(text: str) -> float:
        number = value(text.strip(), where=at)
        if abs(number) > 1:
            msg = f"{at}: {number:g} found, a correlation lies in [-1, 1]; correct it"
            raise RangeError(msg)
        return number

    nominal = correlation(nominal_text)
    coefficient = CorrelationCoefficient(
        name=f"{first} x {second}", pairs=(CorrelationPair(first=first, second=second),), nominal=nominal
    )
    if not has_range:
        return coefficient
    start, end = correlation(start_text), correlation(end_text)
    if start == end:
        warn(where, f"the range {start:g} : {end:g} of {first!r} and {second!r} is empty and not read; widen or remove it")
        return coefficient
    low, high = min(start, end), max(start, end)
    if not low <= nominal <= high:
        warn(where, f"the nominal value {nominal:g} of {first!r} and {second!r} lies outside its range {low:g} : {high:g}")
    return dataclasses.replace(coefficient, low=low, high=high, descending=start > end)


def _grouped(items: list[_Item]) -> tuple[CorrelationCoefficient, ...]:
    """The coefficients; those of one line that have a range form a scan group."""
    lines: dict[int, list[CorrelationPair]] = {}
    for item in items:
        if item.coefficient.varied:
            lines.setdefault(item.line, []).extend(item.coefficient.pairs)
    labels = {
        line: f"{pairs[0].first} x ({', '.join(pair.second for pair in pairs)})"
        for line, pairs in lines.items()
        if len(pairs) > 1
    }
    return tuple(
        dataclasses.replace(item.coefficient, scan_group=labels.get(item.line, "") if item.coefficient.varied else "")
        for item in items
    )
