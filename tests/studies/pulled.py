"""The case that fails when post-fit nuisance values are ignored: a fit that constrains what another input suffers from."""

import numpy as np
from gaussian import coefficient, combine, estimates_of, fit_of_data

import bayescomb as bc


def alike(constraint, *, size, rho=1.0):
    """Two inputs that measure x + ``size`` * lambda with statistical errors of 1, their nuisances correlated by rho.

    The data of the first constrain its nuisance to ``constraint`` of the prior width, by a second number that they hold.
    """
    measured = np.sqrt(1 / constraint**2 - 1)  # 1 / error of that number
    design = np.array([[1.0, size], [0.0, measured]])
    first = fit_of_data("fitted", design=design, data=np.zeros(2), maps=[{"x": 1.0}])
    second = bc.Measurement(
        name="other",
        experiment="other",
        estimates=estimates_of("other", [0.0], [{"x": 1.0}]),
        statistical_covariance=np.eye(1),
        nuisances=(bc.Nuisance(name="other.n0"),),
        responses=[[-size]],  # to publish x, lambda = 1 is subtracted
    )
    return combine(first, second, coefficients=(coefficient("rho", rho, ("fitted.n0", "other.n0")),))
