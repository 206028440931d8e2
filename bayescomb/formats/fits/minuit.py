"""iminuit: a ``Minuit`` after ``migrad()`` and ``hesse()``."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescomb.base.errors import FitError, warn_input
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_minuit"]


def from_minuit(name: str, experiment: str = "", *, minuit: Any, results: Results, **options: Any) -> Measurement:
    """A minimised ``iminuit.Minuit`` as an input; fixed parameters are left out.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        minuit: the object, with a valid minimum and a covariance.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``.

    Raises:
        FitError: there is no valid minimum or no covariance.
        Other bayescomb errors: as of ``from_fit``.

    Warns:
        InputWarning: the covariance is not that of ``hesse()``.

    Examples:
        >>> from iminuit import Minuit
        >>> import bayescomb as bc
        >>> minuit = Minuit(lambda x, jes: (x + 0.5 * jes - 3) ** 2 + (jes / 0.5 - 1) ** 2 + jes**2, x=0, jes=0)
        >>> _ = minuit.migrad(), minuit.hesse()
        >>> bc.fits.from_minuit("a", minuit=minuit, results={"x": "mass"}).fit.pulls.round(6).tolist()
        [0.4]
    """
    where = f"fit {name!r}"
    if not minuit.valid or minuit.covariance is None:
        msg = f"{where}: Minuit has no valid minimum with a covariance; call migrad() and hesse(), and check their messages"
        raise FitError(msg)
    if not minuit.accurate:
        warn_input(f"{where}: the covariance of Minuit is approximate; call hesse() after migrad()")
    parameters = list(minuit.parameters)
    written = WrittenFit(
        parameters=parameters,
        values=np.array(minuit.values, dtype=float),
        covariance=np.array(minuit.covariance, dtype=float),
        left_out=[p for p in parameters if minuit.fixed[p]],
    )
    return written.measurement(name, experiment, results=results, **options)
