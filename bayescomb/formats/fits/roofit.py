"""RooFit: a ``RooFitResult`` in a ROOT file, as CMS Combine (``fitDiagnostics``, ``multidimfit``) and xRooFit write it.

uproot reads the file without ROOT, but not two of its classes, whose streamers the file does not describe: a
``RooFitResult`` ends with a list of texts that uproot cannot read, and ``RooRealVar`` has bytes that it does not know.  Only
the beginning of both is read here; the rest is skipped by its length, which stands before every object.  The order of the
members is that of ``RooRealVar::Streamer`` and ``RooAbsReal`` of ROOT.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.errors import FileFormatError, FitError, UnknownNameError, warn_input
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_roofit", "read_roofit"]

# Quality of a full covariance from HESSE.
FULL: Final = 3
# Combine writes the nuisances under this name, with the centres and widths of their constraint terms.
PREFIT: Final = "nuisances_prefit"
# Numbers of RooFitResult before its lists.
COUNTS, MINIMUM = struct.Struct(">iii"), struct.Struct(">dd")
# _plotMin, _plotMax, _plotBins, _value of RooAbsReal; _error of RooRealVar.
REAL, ERROR = struct.Struct(">ddid"), struct.Struct(">d")


def from_roofit(
    name: str, experiment: str = "", *, path: str | Path, fit: str = "", results: Results, **options: Any
) -> Measurement:
    """A ``RooFitResult`` in a ROOT file as an input.

    If the file holds ``nuisances_prefit``, as ``fitDiagnostics`` of Combine writes it, that object states which parameters
    have a constraint term, its centre and its width, and all others are free.  Otherwise parameters that are neither results
    nor ``free`` count as nuisances with a prior N(0, 1).  Files of ROOT 6.40 were tried; those before about 6.18 have lists
    of parameters of another form and are not read.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        path: the file.
        fit: name of the object (``fit_s``, ``fit_b``, ``fit_mdf``); it may be left out if there is only one.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them, e.g. ``["r"]``.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``; they override the file.

    Raises:
        FileFormatError: the file cannot be read, or uproot is not installed.
        UnknownNameError: the file has no such fit.
        FitError: the fit did not converge, or has no covariance.
        Other bayescomb errors: as of ``from_fit``.

    Warns:
        InputWarning: the covariance is not the full one of HESSE.
    """
    return read_roofit(Path(path), fit).measurement(name, experiment, results=results, **options)


def read_roofit(path: Path, fit: str = "") -> WrittenFit:
    """The fit of a ROOT file, see :func:`from_roofit`."""
    if not path.is_file():
        msg = f"{path}: no such file; correct the path"
        raise FileFormatError(msg)
    try:
        import uproot
    except ImportError as error:
        msg = f"{path}: uproot is needed to read a ROOT file; pip install 'bayescomb[fits]'"
        raise FileFormatError(msg) from error
    try:
        with uproot.open(path, custom_classes=_classes()) as file:
            kinds = file.classnames(cycle=False)
            fit = _chosen(fit, [key for key, kind in kinds.items() if kind == "RooFitResult"], path)
            found = file[fit]
            prefit = file[PREFIT] if kinds.get(PREFIT) == "RooArgSet" else None
            return _written(found, prefit, where=f"{path}:{fit}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error, uproot.DeserializationError) as error:
        msg = f"{path}: cannot be read as a ROOT file with a RooFitResult ({type(error).__name__}: {str(error)[:200]})"
        raise FileFormatError(msg) from error


def _chosen(fit: str, fits: list[str], path: Path) -> str:
    if fit in fits or (not fit and len(fits) == 1):
        return fit or fits[0]
    there = f"it has {', '.join(map(repr, fits))}" if fits else "it has none"
    msg = f"{path}: no fit {fit!r}; {there}" if fit else f"{path}: the name of a fit is needed; {there}"
    raise UnknownNameError(msg)


def _written(found: Any, prefit: Any, *, where: str) -> WrittenFit:
    if found.member("_status") != 0 or found.member("_covQual") < 1 or found.member("_VM") is None:
        msg = (
            f"{where}: status {found.member('_status')}, quality of the covariance {found.member('_covQual')}; a "
            "converged fit has the status 0, and a full HESSE the quality 3; repeat the fit"
        )
        raise FitError(msg)
    if found.member("_covQual") != FULL:
        warn_input(f"{where}: quality of the covariance {found.member('_covQual')}; a full HESSE has 3")
    variables = list(found.member("_finalPars").member("_list"))
    parameters = [v.member("fName") for v in variables]
    size = len(parameters)
    covariance = np.zeros((size, size))
    # ROOT stores the upper triangle row by row.
    covariance[np.triu_indices(size)] = np.asarray(found.member("_VM").member("fElements"), dtype=float)
    covariance += np.triu(covariance, 1).T
    values = np.array([v.member("_value") for v in variables])
    if prefit is None:
        return WrittenFit(parameters=parameters, values=values, covariance=covariance)
    terms = {v.member("fName"): (v.member("_value"), v.member("_error")) for v in prefit.member("_list")}
    terms = {p: term for p, term in terms.items() if term[1] > 0}  # a parameter without constraint term has width 0
    return WrittenFit(
        parameters=parameters,
        values=values,
        covariance=covariance,
        free=[p for p in parameters if p not in terms],
        priors={p: term for p, term in terms.items() if p in parameters and term != (0.0, 1.0)},
    )


def _classes() -> dict[str, Any]:
    """The readers of the two classes, for ``uproot.open``; defined here, as their base class needs uproot."""
    import uproot
    from uproot.deserialization import read_object_any
    from uproot.models.TNamed import Model_TNamed

    def begin(chunk: Any, cursor: Any, context: Any) -> int:
        """End of the base class at the cursor, which moves behind its header."""
        start = cursor.index
        length, _, _ = uproot.deserialization.numbytes_version(chunk, cursor, context)
        if length is None:
            msg = "no length found before a base class"
            raise ValueError(msg)
        return int(start + length)

    class Model_RooFitResult(uproot.model.Model):  # noqa: N801, uproot derives the class from the name
        """Status, parameters and covariance."""

        def read_members(self, chunk: Any, cursor: Any, context: Any, file: Any) -> None:
            for _ in ("TNamed", "RooPrintable", "RooDirItem"):
                cursor.move_to(begin(chunk, cursor, context))
            self._members |= dict(
                zip(("_status", "_covQual", "_numBadNLL"), cursor.fields(chunk, COUNTS, context), strict=True)
            )
            self._members |= dict(zip(("_minNLL", "_edm"), cursor.fields(chunk, MINIMUM, context), strict=True))
            for name in ("_constPars", "_initPars", "_finalPars", "_CM", "_VM"):
                self._members[name] = read_object_any(chunk, cursor, context, file, self._file, self)
            cursor.move_to(self._cursor.index + self._num_bytes)

    class Model_RooRealVar(uproot.model.Model):  # noqa: N801, uproot derives the class from the name
        """Name, value and error."""

        def read_members(self, chunk: Any, cursor: Any, context: Any, file: Any) -> None:
            left_value = begin(chunk, cursor, context)  # RooAbsRealLValue
            begin(chunk, cursor, context)  # RooAbsReal
            argument = begin(chunk, cursor, context)  # RooAbsArg
            named = Model_TNamed.read(chunk, cursor, context, file, self._file, self, concrete=self)
            self._members["fName"] = named.member("fName")
            cursor.move_to(argument)
            *_, self._members["_value"] = cursor.fields(chunk, REAL, context)
            cursor.move_to(left_value)
            (self._members["_error"],) = cursor.fields(chunk, ERROR, context)
            cursor.move_to(self._cursor.index + self._num_bytes)

    return {**uproot.classes, "RooFitResult": Model_RooFitResult, "RooRealVar": Model_RooRealVar}
