"""TRExFitter: the text ``Fits/NAME.txt`` with its nuisance parameters and their correlations.

An example::

    NUISANCE_PARAMETERS
    JES  0.31 +0.82 -0.81
    mu_ttH  1.05 +0.21 -0.20

    CORRELATION_MATRIX
    2   2
    0.15   1
    1   0.15

    NLL
    -1234.5

The columns of the matrix are in reverse order, as ``RooFitResult::correlationHist`` draws them, so that the ones are on the
anti-diagonal; a matrix in the usual order is read too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_correlation, located
from bayescomb.base.errors import FileFormatError, InvalidMatrixError
from bayescomb.formats.csv import number, read_text
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_trexfitter", "read_trexfitter"]

FIRST, SECOND, LAST = "NUISANCE_PARAMETERS", "CORRELATION_MATRIX", "NLL"
# Tolerance on a 1 that was printed with six digits.
PRINTED: Final = 1e-5
# Template statistics, constrained at 1 by Poisson terms.
STATISTICS: Final = "gamma_"
# Place of a line and its words.
Line = tuple[str, list[str]]


def from_trexfitter(name: str, experiment: str = "", *, path: str | Path, results: Results, **options: Any) -> Measurement:
    """The text of a TRExFitter fit as an input.

    The text does not state which parameters are normalisations without a constraint term; name those in ``free``.  The
    template statistics (``gamma_...``) are left out, but stay in the covariance of the other parameters.  The two sides of
    an error are averaged.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        path: ``Fits/NAME.txt``.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``.

    Raises:
        FileFormatError: the file is absent or malformed.
        InvalidMatrixError: the correlations are no correlation matrix.
        Other bayescomb errors: as of ``from_fit``.

    Examples:
        >>> import pathlib, tempfile
        >>> import bayescomb as bc
        >>> lines = ["NUISANCE_PARAMETERS", "JES 0.31 +0.82 -0.80", "mu 1.05 +0.2 -0.2", "", "CORRELATION_MATRIX",
        ...     "2 2", "0.15 1", "1 0.15", "", "NLL", "-12.5"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "fit.txt")
        ...     _ = path.write_text(chr(10).join(lines))
        ...     bc.fits.from_trexfitter("ttH", path=path, results=["mu"]).fit.pulls.tolist()
        [0.31]
    """
    return read_trexfitter(Path(path)).measurement(name, experiment, results=results, **options)


def read_trexfitter(path: Path) -> WrittenFit:
    """Read the text of :func:`from_trexfitter`.

    Raises:
        FileFormatError: a part or a row is missing or has the wrong form.
        InvalidNumberError: an entry is no number.
        InvalidMatrixError: the correlations are no correlation matrix.
    """
    lines = [(f"{path}:{i}", line.split()) for i, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    words = [line[0] for _, line in lines]
    if FIRST not in words or SECOND not in words or words.index(FIRST) > words.index(SECOND):
        msg = f"{path}: {FIRST} and then {SECOND} are needed, as in Fits/NAME.txt of TRExFitter"
        raise FileFormatError(msg)
    end = words.index(LAST) if LAST in words else len(lines)
    rows = lines[words.index(FIRST) + 1 : words.index(SECOND)]
    names, values, errors = [], [], []
    for where, row in rows:
        if len(row) != 4:
            msg = f"{where}: {' '.join(row)!r} found, NAME VALUE +UP -DOWN needed"
            raise FileFormatError(msg)
        names.append(row[0])
        values.append(number(row[1], where=where, lenient=True))
        errors.append(np.mean([abs(number(word, where=where, lenient=True)) for word in row[2:]]))
    rho = _correlation(lines[words.index(SECOND) + 1 : end], names, path)
    sizes = np.array(errors)
    return WrittenFit(
        parameters=names,
        values=np.array(values),
        covariance=rho * np.outer(sizes, sizes),
        left_out=[n for n, size in zip(names, sizes, strict=True) if size == 0 or n.startswith(STATISTICS)],
    )


def _correlation(lines: Sequence[Line], names: Sequence[str], path: Path) -> FloatArray:
    """The correlation matrix, rows and columns in the order of the names."""
    size = len(names)
    if len(lines) != size + 1 or any(len(row) != size for _, row in lines[1:]):
        msg = f"{path}: {SECOND} of {size} rows and columns is needed, one per parameter, after a line with both numbers"
        raise FileFormatError(msg)
    matrix = np.array([[number(word, where=where, lenient=True) for word in row] for where, row in lines[1:]])
    for candidate in (matrix[:, ::-1], matrix):
        if np.abs(np.diag(candidate) - 1).max(initial=0.0) < PRINTED:
            with located(f"{path}: {SECOND}"):
                return check_correlation(candidate, names=names, where="correlations")
    msg = f"{path}: neither diagonal of {SECOND} holds only ones; give the matrix as TRExFitter writes it"
    raise InvalidMatrixError(msg)
