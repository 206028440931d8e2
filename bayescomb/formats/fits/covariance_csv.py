"""A fit in a CSV table, which any program can write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bayescomb.base.checks import check_correlation, located
from bayescomb.base.errors import InvalidNumberError
from bayescomb.formats.csv import read_table
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.formats.matrices import read_matrix
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_csv", "read_csv"]


def from_csv(name: str, experiment: str = "", *, path: str | Path, results: Results, **options: Any) -> Measurement:
    r"""A fit in a CSV table as an input.

    The first column holds the names of the parameters, ``value`` their fitted values, and the other columns, of the same
    names, the covariance (a lower triangle is enough)::

        name,value,sigma,jes
        sigma,832,900,
        jes,0.4,12,0.64

    If there is a column ``uncertainty``, the matrix holds correlations.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        path: the table.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``.

    Raises:
        FileFormatError: the file is absent or malformed.
        Other bayescomb errors: as of ``from_fit``, with the place in the file.

    Examples:
        >>> import pathlib, tempfile
        >>> import bayescomb as bc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "fit.csv")
        ...     _ = path.write_text("name,value,sigma,jes\nsigma,832,900,\njes,0.4,12,0.64\n")
        ...     bc.fits.from_csv("tt", path=path, results=["sigma"]).fit.pulls.tolist()
        [0.4]
    """
    return read_csv(Path(path)).measurement(name, experiment, results=results, **options)


def read_csv(path: Path) -> WrittenFit:
    """Read the table of :func:`from_csv`.

    Raises:
        InvalidNumberError: an uncertainty is negative.
        InvalidMatrixError: the matrix of a table with uncertainties is no correlation matrix.
        FileFormatError: the file is absent or malformed.
    """
    header, _ = read_table(path, required=("value",), labelled=True)
    sizes = "uncertainty" in header
    matrix = read_matrix(path, extra=["value", "uncertainty"] if sizes else ["value"])
    covariance = matrix.values
    if sizes:
        errors = np.array([row.number("uncertainty") for row in matrix.rows])
        if (errors < 0).any():
            msg = f"{path}, column 'uncertainty': {errors.min():g} found, it must not be negative; correct it"
            raise InvalidNumberError(msg)
        with located(str(path)):
            rho = check_correlation(matrix.values, names=matrix.names, where="correlation matrix")
        covariance = rho * np.outer(errors, errors)
    values = np.array([row.number("value") for row in matrix.rows])
    return WrittenFit(parameters=matrix.names, values=values, covariance=covariance)
