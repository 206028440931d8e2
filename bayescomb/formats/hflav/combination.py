"""Result sets of HFLAV's combination-code as measurements, sources and blocks, alone or in a ``model.toml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bayescomb.base.checks import known_name
from bayescomb.base.errors import DuplicateNameError, FileFormatError
from bayescomb.formats.averaging import Averaging
from bayescomb.formats.hflav.intercorrelations import prior_blocks, read_intercorrelations
from bayescomb.formats.hflav.result_sets import measurement_of, read_result_sets
from bayescomb.formats.wildcards import matches
from bayescomb.inputs.combination import Combination

__all__ = ["load_result_list", "read_averaging"]


def read_averaging(
    results: Sequence[Path],
    *,
    intercorrelations: Sequence[Path] = (),
    parameters: Sequence[str] | None = None,
    result_sets: Sequence[str] | None = None,
    experiments: Mapping[str, str] | None = None,
    asymmetric: bool = False,
) -> Averaging:
    """Read files of combination-code.

    Args:
        results: files of result sets.
        intercorrelations: files of intercorrelation maps.
        parameters: those to keep, all by default.
        result_sets: labels of the sets to keep, all by default.
        experiments: pattern of labels -> experiment; a set that none matches is an experiment of its own.
        asymmetric: read asymmetric errors of sets of one parameter, which need the treatment ``"nuisance"``.

    Raises:
        DuplicateNameError: a label is in two files.
        UnknownNameError: a parameter or a label to keep is in no file.
        FileFormatError: nothing is kept; the errors of the readers.
    """
    sets = [one for path in results for one in read_result_sets(path, asymmetric=asymmetric)]
    labels = [one.label for one in sets]
    for i, one in enumerate(sets):
        if one.label in labels[:i]:
            msg = f"{one.where}: a result set of this label is in another file already; every set needs its own label"
            raise DuplicateNameError(msg)
    where = " and ".join(map(str, results))
    for label in result_sets or ():
        known_name(label, labels, kind="result set", where=where)
    known = list(dict.fromkeys(p for one in sets for p in one.parameters))
    for parameter in parameters or ():
        known_name(parameter, known, kind="parameter", where=where)
    kept = known if parameters is None else list(parameters)
    sets = [one.only(kept) for one in sets if result_sets is None or one.label in result_sets]
    sets = [one for one in sets if one.parameters]
    if not sets:
        msg = f"{where}: no result set with any of the parameters {', '.join(kept)}; name others"
        raise FileFormatError(msg)
    maps = [read_intercorrelations(path, labels=labels) for path in intercorrelations]

    def experiment(label: str) -> str:
        return next((name for pattern, name in (experiments or {}).items() if matches(pattern, label)), label)

    return Averaging(
        measurements=tuple(measurement_of(one, experiment=experiment(one.label)) for one in sets),
        blocks=tuple(prior_blocks(sets, maps)),
        sources=tuple(dict.fromkeys(source for one in sets if one.total is None for source in one.systematics)),
        parameters=tuple(dict.fromkeys(p for one in sets for p in one.parameters)),
    )


def load_result_list(path: Path) -> Combination:
    """A combination from one file of result sets, every parameter an observable, nothing correlated between the sets.

    The covariances are summed as given, as combination-code does.

    Raises:
        BayescombError: as :func:`read_averaging`.
    """
    return read_averaging([path]).combination(path)
