"""zfit: a ``FitResult`` after ``hesse()``, with the Gaussian constraints of its loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescomb.base.errors import FitError
from bayescomb.formats.fits.written import Results, WrittenFit
from bayescomb.inputs.measurements import Measurement

__all__ = ["from_zfit"]


def from_zfit(name: str, experiment: str = "", *, fit: Any, results: Results, **options: Any) -> Measurement:
    """A ``FitResult`` of zfit as an input.

    A parameter with a single Gaussian constraint in the loss is a nuisance with that centre and width.  Parameters of a
    correlated or a non-Gaussian constraint are left out, as their term is not a product of such priors.  All others are
    free.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        fit: the ``FitResult``.
        results: as :meth:`bayescomb.Measurement.from_fit` takes them.
        options: ``free``, ``left_out``, ``priors`` and ``pulls`` of ``from_fit``; they override the loss.

    Raises:
        FitError: the fit is not valid, or has no covariance.
        Other bayescomb errors: as of ``from_fit``.
    """
    covariance = fit.covariance() if fit.valid else None
    if covariance is None:
        msg = f"fit {name!r}: the result of zfit is not valid or has no covariance; call hesse(), and check its messages"
        raise FitError(msg)
    parameters = [parameter.name for parameter in fit.params]
    priors, left_out = dict[str, tuple[float, float]](), set[str]()
    for term in getattr(fit.loss, "constraints", ()):
        names = [parameter.name for parameter in term.get_params()]
        single = len(names) == 1 and hasattr(term, "covariance") and hasattr(term, "observation")
        if single and names[0] not in {*priors, *left_out}:
            priors[names[0]] = (float(np.ravel(term.observation)[0]), float(np.ravel(term.covariance)[0]) ** 0.5)
        else:
            left_out |= {n for n in names if n in parameters}
    priors = {n: prior for n, prior in priors.items() if n in parameters and n not in left_out}
    written = WrittenFit(
        parameters=parameters,
        values=np.array([float(found["value"]) for found in fit.params.values()]),
        covariance=np.asarray(covariance, dtype=float),
        free=[p for p in parameters if p not in priors and p not in left_out],
        left_out=left_out,
        priors=priors,
    )
    return written.measurement(name, experiment, results=results, **options)
